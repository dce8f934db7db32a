"""Finds out whether two runs' values of ``monitor`` can be compared; imports no torch."""

from collections.abc import Collection, Mapping
from typing import Any

from dlcourse.schema.facts import fact, reports_of
from dlcourse.schema.overrides import is_private, leaves
from dlcourse.schema.packaged import declared

SMOOTHING = "loss.label_smoothing"

SAME_DATA = (
    "root", "download", "seed", "examples", "train_examples", "test_examples", "test_fraction",
    "standardize", "size", "channels", "features", "group", "memory", "workers", "damaged",
)  # fmt: skip
"""Keys of ``data`` that leave the task the same: the number of examples, how they are read."""

SAME_RECONSTRUCTION = (
    "root", "download", "seed", "examples", "memory", "workers", "damaged", "standardize",
)  # fmt: skip
"""The same where the inputs are the targets."""


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested config by its dotted keys."""
    return dict(leaves(dict(config)))


def loss_of(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the loss with its options, on which a value of ``monitor`` depends.

    Label smoothing is one of them: validation and test losses are measured without it, and so
    favour models that were trained without it. Empty if ``monitor`` is not a loss.
    values: every option by its dotted key; ``plain_loss`` is False for results of an older
    dlcourse, which measured them with label smoothing.
    """
    if not str(values.get("monitor", "")).endswith("/loss"):
        return ()
    parts = {
        key: text(value)
        for key, value in values.items()
        if key.startswith("loss.") and not is_private(key.removesuffix("._target_"))
    }
    if "loss._target_" in parts:
        name = parts["loss._target_"]
        parts["loss._target_"] = fact({"_target_": name}, "same_value_as") or name
    if parts.get(SMOOTHING) == "0":
        del parts[SMOOTHING]
    if SMOOTHING in parts and values.get("plain_loss") is False:
        parts["loss.measured"] = "smoothed"
    return tuple(sorted(parts.items()))


def data_of(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the options that determine the examples and targets ``monitor`` was measured on.

    A value on the training part is measured on examples as the augmentations change them.
    """
    same = SAME_RECONSTRUCTION if values.get("data.reconstruct") else SAME_DATA
    name = str(values.get("data._target_", ""))
    if declared(name).get("own_files") or not name.startswith("dlcourse."):
        same = [key for key in same if key != "root"]
    leave_out = {f"data.{key}" for key in same}
    groups = ("data.", "augment.") if str(values.get("monitor")).startswith("train/") else "data."
    parts = {
        key: text(value)
        for key, value in values.items()
        if key.startswith(groups) and key not in leave_out
        if not is_private(key.removesuffix("._target_"))
    }
    return tuple(sorted(parts.items()))


def text(value: Any) -> str:
    """Return a value so that 1 and 1.0 are the same."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.12g}"
    return str(value)


def differing(some: Collection[tuple[tuple[str, str], ...]]) -> list[str]:
    """Return the keys in which several of ``loss_of`` or ``data_of`` differ."""
    keys = list(dict.fromkeys(key for parts in some for key, _ in parts))
    return [key for key in keys if len({dict(parts).get(key) for parts in some}) > 1]


def words_of(parts: tuple[tuple[str, str], ...], keys: Collection[str]) -> str:
    """Return some of ``loss_of`` or ``data_of`` as overrides, ``loss=hinge loss.margin=2``."""
    named = dict(parts)
    overrides = []
    for key in keys:
        value = named.get(key, "0" if key == SMOOTHING else "null")
        name = key.removesuffix("._target_")
        overrides.append(f"{name}={value if name == key else value.rpartition('.')[2]}")
    return " ".join(overrides)


def other_monitor(config: Mapping[str, Any]) -> str:
    """Return the overrides that choose a monitor which does not depend on the loss."""
    for metric in config["metric"].values():
        for value, better in (reports_of(metric) or {}).items():
            return f"monitor=val/{value} mode={better}"
    return "'metric=[accuracy]' monitor=val/accuracy mode=max"
