"""The smallest and largest values that the bounds allow train, or get one message."""

import math
from collections.abc import Callable
from copy import deepcopy
from functools import reduce
from operator import getitem

import pytest
from conftest import options, prepared
from test_configs import NEED_FILES, needs, override_for
from test_training import DESIGNS, narrow

from dlcourse.errors import DivergedError, UserError
from dlcourse.schema.bounds import bounds_of
from dlcourse.schema.kinds import SMALLEST_FLOAT32, Number, Numbers, OneNumber
from dlcourse.schema.overrides import leaves
from dlcourse.schema.validate import GROUPS, NOT_ARGUMENTS, check
from dlcourse.train.evaluate import evaluate
from dlcourse.train.fit import train_epoch

ONE_FOR_EACH_CLASS = "loss.class_weight"  # tested in engine/test_weights.py
SMALLEST_FLOAT64 = math.ulp(0.0)
MANY = 5000  # larger whole numbers only take time and memory
ELSEWHERE = (
    *NEED_FILES,
    "torchvision",
    "timm",
    "from_run",
    "from_file",
)  # need files or a download
CHOICES = [
    (group, option)
    for group in GROUPS
    for option in options(group)
    if group not in ("observe", "runtime", "split") and option not in ELSEWHERE
    if group != "model" or option in DESIGNS.values()
]


def edges(kind: object, *, largest: bool) -> list:
    """Return the smallest and, where asked for, the largest values that the bounds allow."""
    if isinstance(kind, Numbers):
        ends = edges(kind.each, largest=largest)
        return [[end] * length for end in ends for length in {kind.shortest, min(kind.longest, 2)}]
    if isinstance(kind, OneNumber):
        return list(kind.numbers)
    tiny = 1 if kind.whole else 1e-9
    low = kind.low + tiny if kind.above else kind.low
    if kind.above and kind.low == 0 and not kind.whole:
        low = SMALLEST_FLOAT32 if kind.in_float32 else SMALLEST_FLOAT64
    high = kind.high - tiny if kind.below else kind.high
    return [low, *([high] if largest and not (kind.whole and high > MANY) else [])]


USUAL = {"optim": "adam", "data": "digits", "schedule": "cosine", "loss": "cross_entropy"}
"""The choice with which the options that all choices of a group share are tested."""


def keys_of(cfg: dict, group: str, option: str) -> list[str]:
    """Return the keys of a choice that hold numbers, with those of the group for a usual one."""
    shared = () if USUAL.get(group, option) == option else NOT_ARGUMENTS.get(group, ())
    found = [f"{group}.{key}" for key, _ in leaves(cfg[group]) if key not in shared]
    found = [key for key in found if key != ONE_FOR_EACH_CLASS]
    return [key for key in found if isinstance(bounds_of(key), Number | Numbers | OneNumber)]


def changed(config: dict, key: str, value: float | list) -> dict:
    """Return a config in which ``group.key`` has another value."""
    other = deepcopy(config)
    *path, last = key.split(".")
    reduce(getitem, path, other)[last] = value
    return other


def trained_at_limits(group: str, option: str, compose: Callable[..., dict]) -> tuple[int, int]:
    """Train two epochs with each number of a choice at its limits.

    compose: from overrides to a config. Returns the numbers of runs that trained and of those that
    were refused with one message.
    """
    overrides = ["max_epochs=2", *needs(group, option), override_for(group, option)]
    if group not in ("data", "model") and option not in ("closed_form", "whitening"):
        overrides.append("model=mlp")
    if group != "data" and "data=sine" not in overrides:
        overrides.append("data.examples=20")
    base = narrow(compose(*overrides))
    trained = refused = 0
    for key in keys_of(base, group, option):
        for value in edges(bounds_of(key), largest=group not in ("data", "model")):
            cfg = changed(base, key, value)
            try:
                check(cfg)
                state, fold, recipe = prepared(cfg)
                found = train_epoch(state, fold, recipe)
            except (UserError, DivergedError):
                refused += 1
                continue
            found |= evaluate(state.averaged, fold.val, fold.standardize, recipe, "val")
            assert math.isfinite(found["train/loss"]), f"{key}={value}"
            assert "val/loss" in found
            trained += 1
    return trained, refused


@pytest.mark.parametrize(("group", "option"), CHOICES)
def test_a_number_at_its_limit_trains_or_is_refused_with_one_message(group, option, compose):
    trained, refused = trained_at_limits(group, option, compose)
    assert trained or not refused
