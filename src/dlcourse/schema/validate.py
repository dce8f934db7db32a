"""Looks at a composed config before any time is spent; imports no torch.

Every key is held against ``bounds``, then ``rules`` look at keys that must fit each other.
"""

from collections.abc import Iterator

from dlcourse.errors import UserError, did_you_mean, meant, nearest
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.kinds import Function
from dlcourse.schema.rules import inputs, metrics, splitting, task, training

GROUPS = (
    "model", "init", "loss", "regularizer", "augment", "optim", "schedule", "clip", "average",
    "split", "metric", "view", "stop", "observe", "runtime", "data",
)  # fmt: skip
MULTIPLE = ("regularizer", "augment", "metric", "view", "observe")  # of which several may be chosen
SWEEP = ("sweep", "seeds", "workers", "on_error", "check")  # read by a sweep and by no job
TOP_LEVEL = (
    "seed",
    "max_epochs",
    "max_time",
    "batch_size",
    "monitor",
    "mode",
    "checkpoint_every",
    "resume",
    "trust",
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
    ),
    "optim": (
        "weight_decay", "decay_all", "rates", "decays", "freeze", "freeze_after", "freeze_until",
        "apart",
    ),
    "schedule": ("warmup",),
    "metric": ("training",),
}  # fmt: skip
"""Keys of a group that dlcourse itself reads."""

RULES = (
    *training.RULES, *task.RULES, *inputs.RULES, *metrics.RULES, *splitting.RULES,
)  # fmt: skip


def check(config: dict) -> None:
    """Raise UserError for the first thing in a plain config that cannot be meant."""
    unknown = set(config) - {*GROUPS, *TOP_LEVEL}
    if unknown:
        key = min(unknown)
        raise UserError(f"{key} is not a key of dlcourse; {nearest(key, (*GROUPS, *TOP_LEVEL))}")
    for group in GROUPS:
        if not isinstance(config.get(group), dict):
            raise UserError(f"The group {group} has no choice.\nType {group}=<one of its options>")
        choices = config[group].values() if group in MULTIPLE else [config[group]]
        for choice in choices:
            target = choice.get("_target_") if isinstance(choice, dict) else None
            if not isinstance(target, str):
                raise UserError(
                    f"The choice of {group} does not say what it is: its _target_ is {target}.\n"
                    f"Type _target_: my_module.my_{group} into its YAML, without quotes"
                )
    foreign = tuple(foreign_nodes(config))
    for key, value in values(config):
        if not key.startswith(foreign) or key.split(".")[1] in read_here(key):
            check_key(key, value)
    for rule in RULES:
        try:
            problems = list(rule(config))
        except KeyError as error:  # of a YAML of the user's own that names a class of dlcourse
            raise UserError(
                f"A choice of yours calls a class of dlcourse, and lacks its key {error.args[0]}.\n"
                f"Copy the line with {error.args[0]} from dlcourse's own YAML for this class, or "
                "take all of it with defaults: [mlp, _self_]"
            ) from error
        for problem in problems:
            raise UserError(problem)


def values(config: dict, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every key that has bounds, and every other leaf, with its value.

    A mapping where a number is meant is a value: what has bounds is not gone into. Groups and the
    choices of those of which several may be chosen are gone into, whatever they are called.
    """
    for name, value in config.items():
        key = f"{path}{name}"
        is_choice = key in GROUPS or path.rstrip(".") in MULTIPLE
        if isinstance(value, dict) and value and (is_choice or bounds_of(key) is None):
            yield from values(value, f"{key}.")
        else:
            yield key, value


def check_key(key: str, value: object) -> None:
    """Raise UserError when a key holds what its entry in ``bounds`` does not allow."""
    bounds = bounds_of(key)
    if bounds is None or bounds.allows(value):
        return
    words = getattr(bounds, "words", ())
    if isinstance(bounds, Function) and bounds.closer(value) != bounds:
        bounds, words = bounds.closer(value), ()  # the word is right, and its numbers are not
    close = meant(value, words) if isinstance(value, str) else []
    question = f"; {did_you_mean(value, words, close)}" if close else "."
    shown = "null" if value is None else value
    raise UserError(
        f"{key}={shown} is not allowed: {key} takes {bounds}{question}\n"
        f"Type, for example, {key}={close[0] if close else bounds.example}"
    )


def foreign_nodes(config: dict, path: str = "") -> Iterator[str]:
    """Yield ``"model."`` where a model of the user's own is chosen: its keys mean what he says."""
    for key, value in config.items():
        if isinstance(value, dict):
            here = f"{path}{key}."
            if not str(value.get("_target_", OWN_TARGETS[0])).startswith(OWN_TARGETS):
                yield here
            yield from foreign_nodes(value, here)


def read_here(key: str) -> tuple[str, ...]:
    """Return which keys of a key's group dlcourse reads itself, whoever's the choice is."""
    return NOT_ARGUMENTS.get(key.split(".")[0], ())
