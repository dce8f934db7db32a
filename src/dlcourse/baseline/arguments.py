"""Read the options of ``dlcourse baseline`` from its command, before scikit-learn is imported."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from dlcourse.baseline.methods import METHODS
from dlcourse.errors import UserError, nearest, not_there
from dlcourse.schema.arguments import arguments
from dlcourse.schema.command_line import one_run, separate_own
from dlcourse.schema.compose import compose_with_choices
from dlcourse.schema.kinds import Number, as_number
from dlcourse.schema.overrides import key_of
from dlcourse.schema.typed_alone import refuse_bare_choices
from dlcourse.terminal.command import own_name

DEFAULT_METHODS = "knn,svm,stumps,forest,linear"
METHOD_OPTIONS = {
    f"{name}.{option}": bounds
    for name, method in METHODS.items()
    for option, bounds in method.options.items()
}
"""The bounds of every method's options, by what is typed: ``knn.neighbors``."""
OF_RUNS = ("data", "split", "seed", "random_streams")
"""The options of a run that the command takes."""
NO_NETWORK = ("model=linear", "stop=never", "monitor=train/loss", "mode=min", "runtime=cpu")
"""Options with which every data set and split passes the checks of a run."""


class BaselinePlan(NamedTuple):
    """What a command asks for: the config of the data, and the candidates of each method.

    candidates: the options of each combination of typed values, ``{"knn": [{"neighbors": 5}]}``.
    """

    config: dict[str, Any]
    data: str
    candidates: dict[str, list[dict[str, Any]]]


def read_baseline(args: Sequence[str], usage: str | None) -> BaselinePlan:
    """Return what a command asks for; raises UserError for the first mistake."""
    whats = {name: method.what for name, method in METHODS.items()}
    refuse_bare_choices(args, {"method": whats})
    refuse_unknown_options(args)
    own, rest = separate_own(args, ("method", *METHOD_OPTIONS), "baseline")
    defaults = {"method": DEFAULT_METHODS}
    defaults |= {key: str(bounds.example) for key, bounds in METHOD_OPTIONS.items()}
    typed = arguments(own, defaults, usage, {"method": whats})
    names = chosen_methods(typed["method"], whats)
    for arg in own:
        name = arg.partition(".")[0]
        if name in METHODS and name not in names:
            raise UserError(
                f"{arg} belongs to method={name}, which is not chosen.\n"
                f"Type method={','.join([*names, name])}, or leave out {arg}"
            )
    overrides, config_dir = one_run(rest, "baseline")
    for override in overrides:
        if key_of(override).split(".")[0] not in OF_RUNS:
            raise UserError(
                f"{override} is not for baseline, which trains no network: of a run's options it "
                f"takes data, split and seed, and its own are method, {', '.join(METHOD_OPTIONS)}."
                f"\nLeave out {override}"
            )
        key, _, value = override.partition("=")
        if value == "multilabel" or (key == "data.labels" and value != "null"):
            raise UserError(
                f"{override} gives an example several classes, and these methods are fitted to one "
                "class or to values.\nType a data set with one class for each example"
            )
        if key_of(override) == "data.reconstruct" and not override.lower().endswith("=false"):
            raise UserError(
                f"{override} makes each input a target, which these methods would learn one by "
                "one.\nLeave it out"
            )
    config, choices = compose_with_choices([*overrides, *NO_NETWORK], config_dir)
    grids = {
        name: {
            option: values_typed(f"{name}.{option}", typed[f"{name}.{option}"], bounds)
            for option, bounds in METHODS[name].options.items()
        }
        for name in names
    }
    candidates = {
        name: [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        for name, grid in grids.items()
    }
    refuse_choice_without_validation(config, candidates)
    return BaselinePlan(config, choices["data"], candidates)


def refuse_unknown_options(args: Sequence[str]) -> None:
    """Raise UserError for an option that a method does not have: ``knn.k=3``."""
    for arg in args:
        key, equals, _ = arg.partition("=")
        if equals and key.partition(".")[0] in METHODS and key not in METHOD_OPTIONS:
            raise UserError(
                f"{arg} is not understood; {nearest(key, METHOD_OPTIONS)}.\n"
                f"Type {own_name('baseline')} --help for what each one does"
            )


def chosen_methods(text: str, whats: dict[str, str]) -> list[str]:
    """Return the methods in ``knn,svm``, each once; raises UserError for an unknown one."""
    names = [name.strip() for name in text.strip("[] ").split(",")]
    if names == ["all"]:
        return list(METHODS)
    for name in names:
        if name not in METHODS:
            raise UserError(not_there(f"method={text}", name, whats, "method"))
    return list(dict.fromkeys(names))


def values_typed(key: str, text: str, bounds: Number) -> list[Any]:
    """Return the values in ``1,5,10``, each once; raises UserError for one that is not allowed."""
    values = []
    for part in text.strip("[] ").split(","):
        word = part.strip()
        value = word if word in bounds.names else as_number(word)
        if not bounds.allows(value):
            raise UserError(
                f"{key}={text} is not allowed: {key} takes {bounds}, or several with commas.\n"
                f"Type, for example, {key}={bounds.example}"
            )
        values.append(value)
    return list(dict.fromkeys(values))


def refuse_choice_without_validation(
    config: dict[str, Any], candidates: dict[str, list[dict[str, Any]]]
) -> None:
    """Raise UserError for several values of an option if no validation part can choose."""
    several = [name for name, some in candidates.items() if len(some) > 1]
    if several and config["split"].get("fraction") == 0:
        raise UserError(
            f"{several[0]} has several values to choose from, and split.fraction=0 leaves no "
            "validation part that could choose.\nType one value, or split.fraction=0.2"
        )
