"""Turn a choice's config into its function or class; no other module calls names from a config."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

from dlcourse.errors import UserError, nearest
from dlcourse.schema.bounds import bounds_of_argument
from dlcourse.schema.kinds import Code, Numbers
from dlcourse.schema.overrides import DECLARATIONS, FROM_ENVIRONMENT
from dlcourse.schema.validate import NOT_ARGUMENTS, OWN_TARGETS
from dlcourse.terminal import user_code

NOT_KEYWORDS = ("_target_", "_partial_", "_convert_", "_recursive_", *DECLARATIONS)


def build(node: dict, *leave_out: str) -> partial:
    """Turn a choice's config into its function or class with the hyperparameters filled in.

    leave_out: keys of the node that are not arguments of the function.

    This is Hydra's ``instantiate`` for ``_partial_: true``, as a plain ``functools.partial``:
    Hydra's own evaluates its rules again at every call, which took a third of an MLP's training
    step.

    Raises UserError for a target that cannot be imported, and for a key that it does not take.
    """
    return fill({key: value for key, value in node.items() if key not in leave_out})


def fill(settings: dict) -> partial:
    """Return the partial of a node that is a plain dict; nodes inside it are called, for values.

    All keywords, at every depth, are checked before anything is called.
    """
    check_calls({**settings, "_partial_": True})
    return filled(settings)


def check_calls(settings: Any) -> None:
    """Raise UserError if a node, or one inside it, gets keywords that its target does not take."""
    if isinstance(settings, list):
        for item in settings:
            check_calls(item)
    if not isinstance(settings, dict):
        return
    keywords = {key: value for key, value in settings.items() if key not in NOT_KEYWORDS}
    if "_target_" in settings:
        function = locate(settings["_target_"])
        try:
            parameters = signature(function)
        except ValueError:  # some functions in C have no signature
            parameters = None
        if parameters is not None:
            bind = parameters.bind_partial if settings.get("_partial_") else parameters.bind
            try:
                bind(**keywords)
            except TypeError as error:
                known = ", ".join(parameters.parameters)
                raise UserError(f"{settings['_target_']}: {error}.\nIt takes: {known}") from error
    for value in keywords.values():
        check_calls(value)


def filled(settings: dict) -> partial:
    """Return the partial of a node that ``check_calls`` has accepted."""
    target = settings["_target_"]
    keywords = {key: value_of(value) for key, value in settings.items() if key not in NOT_KEYWORDS}
    if target.startswith(OWN_TARGETS):
        keywords = {key: as_declared(target, key, value) for key, value in keywords.items()}
    return partial(locate(target), **keywords)


def value_of(value: Any) -> Any:
    """Return the value of a hyperparameter; a node with a ``_target_`` is called for it."""
    if isinstance(value, list):
        return [value_of(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "_target_" not in value:
        return {key: value_of(item) for key, item in value.items()}
    return filled(value) if value.get("_partial_") else filled(value)()


def as_declared(target: str, key: str, value: Any) -> Any:
    """Convert a value as the bounds of its key declare it: the name of code to the code itself.

    A list of real numbers becomes floats: Adam refuses an integer 0 as a beta.
    """
    kind = bounds_of_argument(target, key)
    if isinstance(kind, Code):
        return None if value is None else locate(value, f"{target.split('.')[1]}.{key}")
    fractions = isinstance(kind, Numbers) and not kind.each.whole
    return [float(number) for number in value] if fractions else value


def locate(target: str, key: str = "_target_") -> Callable:
    """Import the function or class ``package.module.name``; raises UserError if that fails.

    key: where the config names it, for messages.

    A target in dlcourse or torch must also be defined there: through a module's imports
    (``dlcourse.data.cache.log.manager``) a config could otherwise reach any code.
    """
    module, _, name = target.rpartition(".")
    try:
        imported = import_module(module)
    except Exception as error:
        if own := user_code.user_code_message(error):
            raise UserError(own) from error
        if not isinstance(error, ImportError | ValueError):
            raise
        raise UserError(user_code.not_found(target, error, key)) from error
    found = getattr(imported, name, None)
    if found is None:
        names = [known for known in vars(imported) if not known.startswith("_")]
        raise UserError(
            f"{target} does not exist: {module} has no {name}; {nearest(name, names)}.\n"
            f"Look at {key} in the config"
        )
    home = f"{getattr(found, '__module__', None)}.{getattr(found, '__qualname__', name)}"
    if not callable(found) or (target.startswith(OWN_TARGETS) and not home.startswith(OWN_TARGETS)):
        raise UserError(f"{target} is not a function or class that a config may call")
    return found


def no_check(**options: Any) -> None:
    """Accept any options: the check of a choice without a function ``check_options``."""


def build_all(config: dict) -> None:
    """Build every choice once, to find wrong targets and keywords before any data are read.

    A choice that is a function with an attribute ``check_options`` is given its options there; it
    raises UserError for wrong ones.
    """
    for group, node in config.items():
        if isinstance(node, dict) and group != FROM_ENVIRONMENT:
            choices = [node] if "_target_" in node else node.values()
            for choice in choices:
                kept = of_data(choice) if group == "data" else NOT_ARGUMENTS.get(group, ())
                made = build(choice, *kept)
                getattr(made.func, "check_options", no_check)(**made.keywords)
                if not choice["_target_"].startswith(OWN_TARGETS):
                    user_code.check_call(group, choice["_target_"], made.func, made.keywords)


def of_data(node: dict) -> tuple[str, ...]:
    """Return the keys of a data set's config that its function does not get.

    ``engine.datasets.load_data`` applies these options itself. Generated data sets take
    ``test_examples`` as an argument.
    """
    own = signature(locate(node["_target_"])).parameters
    return NOT_ARGUMENTS["data"] + (() if "test_examples" in own else ("test_examples",))
