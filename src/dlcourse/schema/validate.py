"""Check a composed config before a run starts; imports no torch.

Every key is compared with its bounds, then ``rules`` check keys that must fit each other.
"""

from collections.abc import Callable, Collection, Iterable, Iterator

from dlcourse.errors import UserError, did_you_mean, meant, nearest
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.facts import GROUPS, check_facts, fact, name_of
from dlcourse.schema.kinds import SMALLEST_FLOAT32, Function, Kind, Number, Numbers, oddity
from dlcourse.schema.overrides import DECLARATIONS, FROM_ENVIRONMENT, nodes
from dlcourse.schema.own_bounds import declared_bounds
from dlcourse.schema.rules import inputs, metrics, observing, splitting, starting, task, training
from dlcourse.terminal.extras import refuse_missing

SHOWN = 100  # characters of a value that a message shows
MULTIPLE = ("regularizer", "augment", "metric", "view", "observe")  # of which several may be chosen
SWEEP_KEYS = ("sweep", "seeds", "workers", "on_error", "job_timeout", "check")
"""Keys that are read by a sweep and by no job."""
TOP_LEVEL = (
    "seed",
    "max_epochs",
    "max_time",
    "batch_size",
    "engine",
    "accumulate",
    "steps_per_epoch",
    "monitor",
    "mode",
    "checkpoint_every",
    "resume",
    "trust",
    "note",
    "tags",
    "random_streams",
)
OWN_TARGETS = (
    *(f"dlcourse.{group}." for group in GROUPS),
    "torch.optim.",
    "torch.nn.",
    "torchvision.models.",
)

NOT_ARGUMENTS = {
    "data": (
        "root", "seed", "examples", "random_labels", "standardize", "zca_epsilon", "reconstruct",
        "at_most",
    ),
    "optim": (
        "weight_decay", "decay_all", "rates", "decays", "freeze", "freeze_after", "freeze_until",
        "apart", "layer_decay", "noise", "noise_decay", "dropout_off",
    ),
    "loss": ("class_weight",),
    "schedule": ("warmup",),
    "metric": ("training",),
}  # fmt: skip
"""Keys of a group that dlcourse reads itself and does not pass to the choice."""

RULES = (
    *training.RULES, *task.RULES, *inputs.RULES, *metrics.RULES, *splitting.RULES, *starting.RULES,
    *observing.RULES,
)  # fmt: skip
LATER_RULES = tuple(rule for rule in RULES if rule not in starting.RULES)
"""The rules for a run whose weights are in a checkpoint."""


def check(
    config: dict, changed: Collection[str] | None = None, used: Collection[str] = GROUPS
) -> None:
    """Raise UserError for the first mistake in a plain config.

    changed: the keys whose values, and only these, differ from a config that has passed all checks.
    Their bounds and the rules are checked then.
    used: the groups whose optional packages have to be installed. Without ``init`` the files that
    only a new run reads may be gone.
    """
    if changed is None:
        check_choices(config)
    check_bounds(config, changed)
    check_rules(config, RULES if "init" in used else LATER_RULES)
    if changed is None:
        check_packages(config, used)


def check_choices(config: dict) -> None:
    """Raise UserError for an unknown key, and for a group without a choice that can be called."""
    unknown = set(config) - {*GROUPS, *TOP_LEVEL, FROM_ENVIRONMENT}
    if unknown:
        key = min(unknown)
        raise UserError(f"{key} is not a key of dlcourse; {nearest(key, (*GROUPS, *TOP_LEVEL))}")
    for group in GROUPS:
        if not isinstance(config.get(group), dict):
            raise UserError(f"The group {group} has no choice.\nType {group}=<one of its options>")
        for key, choice in choices_of(config, group):
            target = choice.get("_target_") if isinstance(choice, dict) else None
            if not isinstance(target, str):
                refuse_choice_without_target(group, key, target)
            check_facts(group, key, choice)


def check_bounds(config: dict, changed: Collection[str] | None) -> None:
    """Raise UserError for a value that is out of its bounds. changed: the keys; None for all."""
    float32 = config["runtime"].get("precision") != "fp64"
    if changed is not None and "runtime.precision" in changed:
        changed = None  # it decides which numbers are too small
    for key, value in values(config) if changed is None else values_at(config, changed):
        kind = bounds_of(known_as(config, key))
        if kind is None or (kind.allows(value) and not vanishes(value, kind)):
            continue
        if not key.startswith(user_keys(config)) or key.split(".")[1] in read_here(key):
            check_value(key, value, kind)
            if float32:
                refuse_vanishing(key, value, kind)
    for group in GROUPS:
        for key, choice in choices_of(config, group):
            for name, (value, kind) in declared_bounds(key, choice).items():
                check_value(name, value, kind)
                if float32:
                    refuse_vanishing(name, value, kind)


def check_rules(config: dict, rules: Iterable[Callable[[dict], Iterator[str]]] = RULES) -> None:
    """Raise UserError for keys that do not fit each other."""
    for rule in rules:
        try:
            problems = list(rule(config))
        except KeyError as error:  # a user's YAML names a class of dlcourse without all its keys
            raise UserError(
                f"A choice of yours calls a class of dlcourse, and lacks its key {error.args[0]}.\n"
                f"Copy the line with {error.args[0]} from dlcourse's own YAML for this class, or "
                "take all of it with defaults: [mlp, _self_]"
            ) from error
        for problem in problems:
            raise UserError(problem)


def check_packages(config: dict, groups: Collection[str]) -> None:
    """Raise UserError for a choice whose optional package is not installed; imports none."""
    for group in groups:
        for key, choice in choices_of(config, group):
            module = fact(choice, "needs")
            if module is not None:
                name = key.partition(".")[2]
                purpose = f"[{name}]" if name else name_of(choice["_target_"])
                refuse_missing(module, f"{group}={purpose}")


def choices_of(config: dict, group: str) -> Iterator[tuple[str, dict]]:
    """Yield the choices of a group with their keys, ``model`` or ``augment.crop``."""
    if group in MULTIPLE:
        yield from ((f"{group}.{name}", choice) for name, choice in config[group].items())
    else:
        yield group, config[group]


def refuse_choice_without_target(group: str, key: str, target: object) -> None:
    """Raise UserError for a choice without a ``_target_``."""
    if key.rpartition(".")[2] in DECLARATIONS:
        raise UserError(
            f"{key} is not inside a choice.\n"
            f"Indent it in the YAML, so that it is next to _target_: my_module.my_{group}"
        )
    raise UserError(
        f"The choice of {group} does not say what it is: its _target_ is {target}.\n"
        f"Type _target_: my_module.my_{group} into its YAML, without quotes"
    )


def values(config: dict, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every key that has bounds, and every other leaf, with its value.

    A mapping under a key with bounds is yielded as a value, so that these refuse it. Groups, and
    the choices of groups that take several, are always searched, even if a key with bounds has the
    same name.
    """
    for name, value in config.items():
        key = f"{path}{name}"
        if name in DECLARATIONS:
            continue
        is_choice = key in GROUPS or path.rstrip(".") in MULTIPLE
        if isinstance(value, dict) and value and (is_choice or bounds_of(key) is None):
            yield from values(value, f"{key}.")
        else:
            yield key, value


def values_at(config: dict, keys: Collection[str]) -> Iterator[tuple[str, object]]:
    """Yield what ``values`` yields for some keys of a config, in the same order."""
    found: dict[str, tuple[list[int], object]] = {}
    for key in keys:
        node: object = config
        parts, places = key.split("."), []
        for end, part in enumerate(parts, 1):
            assert isinstance(node, dict)
            places.append(list(node).index(part))
            node, path = node[part], ".".join(parts[:end])
            is_choice = path in GROUPS or (end == 2 and parts[0] in MULTIPLE)
            if not isinstance(node, dict) or not (is_choice or bounds_of(path) is None):
                found[path] = places, node
                break
    for path, (_, node) in sorted(found.items(), key=lambda one: one[1][0]):
        yield path, node


def known_as(config: dict, key: str) -> str:
    """Return the key whose bounds apply to an option.

    For ``augment.my_crop.padding``, where ``my_crop`` is the user's name for dlcourse's crop, it is
    ``augment.crop.padding``. Most other keys are returned unchanged.
    """
    group, *rest = key.split(".")
    if group not in MULTIPLE or len(rest) < 2:
        return key
    choice = config[group].get(rest[0])
    target = choice.get("_target_", "") if isinstance(choice, dict) else ""
    own = str(target).startswith(f"dlcourse.{group}.")
    return ".".join([group, name_of(target) if own else rest[0], *rest[1:]])


def check_key(key: str, value: object) -> None:
    """Raise UserError if a key has a value that its bounds do not allow."""
    check_value(key, value, bounds_of(key))


def check_value(key: str, value: object, bounds: Kind | None) -> None:
    """Raise UserError if a value is out of bounds. bounds: None allows any value."""
    if bounds is None or bounds.allows(value):
        return
    names = getattr(bounds, "names", ())
    if isinstance(bounds, Function) and bounds.closer(value) != bounds:
        bounds, names = bounds.closer(value), ()  # the name is right, and its numbers are not
    close = meant(value, names) if isinstance(value, str) else []
    question = f"; {did_you_mean(value, names, close)}" if isinstance(value, str) and close else "."
    odd = oddity(value)
    reason = f"it {odd}, and {key} takes {bounds}." if odd else f"{key} takes {bounds}{question}"
    raise UserError(
        f"{key}={brief(value)} is not allowed: {reason}\n"
        f"Type, for example, {key}={close[0] if close else bounds.example}"
    )


def vanishes(value: object, bounds: Kind) -> bool:
    """Return whether an allowed value holds a number that is too small for float32."""
    return isinstance(bounds, Number | Numbers | Function) and bounds.vanishes(value)


def refuse_vanishing(key: str, value: object, bounds: Kind) -> None:
    """Raise UserError if an allowed value holds a number that is too small for float32."""
    if vanishes(value, bounds):
        bounds = bounds.closer(value) if isinstance(bounds, Function) else bounds
        raise UserError(
            f"{key}={brief(value)} is not allowed: it is too small for float32, in which this run "
            f"computes. The smallest number that is allowed is {SMALLEST_FLOAT32:.2g}, and one "
            "below 7e-46 would be 0.\n"
            f"Type, for example, {key}={bounds.example}, or add runtime.precision=fp64"
        )


def brief(value: object) -> str:
    """Return a value as a message shows it: long ones with their start and their length."""
    try:
        text = "null" if value is None else str(value)
    except ValueError:  # Python writes out no integer of more than 4,300 digits
        return "<a number of more than 4,300 digits>"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text):,} characters)"


def user_keys(config: dict) -> tuple[str, ...]:
    """Return the prefixes of keys of choices that call the user's own code, ``("model.",)``.

    dlcourse has no bounds for these keys.
    """
    return tuple(
        f"{key}."
        for key, node in nodes(config)
        if not str(node.get("_target_", OWN_TARGETS[0])).startswith(OWN_TARGETS)
    )


def read_here(key: str) -> tuple[str, ...]:
    """Return the keys of a key's group that dlcourse reads itself, for any choice."""
    return NOT_ARGUMENTS.get(key.split(".")[0], ())
