"""Find out whether two runs' values of ``monitor`` can be compared; imports no torch."""

from collections.abc import Collection, Mapping
from typing import Any

from dlcourse.schema.facts import fact, reports_of
from dlcourse.schema.overrides import is_private, leaves
from dlcourse.schema.packaged import declared

SMOOTHING = "loss.label_smoothing"
CLASS_WEIGHT = "loss.class_weight"

SAME_DATA = (
    "root", "download", "seed", "examples", "train_examples", "test_examples", "test_fraction",
    "standardize", "size", "channels", "features", "group", "memory", "workers", "damaged",
    "decoder", "reduced_decode", "layout", "fit", "fill",
    "train_split",
    "exclude", "weight", "id", "text", "one_hot", "ordinal",
    "most_values", "date_format", "date_parts", "numbers",
)  # fmt: skip
"""Keys of ``data`` that do not change the task, such as the number of training examples."""

SAME_RECONSTRUCTION = (
    "root", "download", "seed", "examples", "memory", "workers", "damaged", "standardize",
    "decoder", "reduced_decode", "fit", "fill",
)  # fmt: skip
"""The same keys for ``data.reconstruct=true``, where the targets are the inputs."""


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested config as a flat dict with dotted keys."""
    return dict(leaves(dict(config)))


def loss_of(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the loss and its options, as sorted (key, value) pairs; empty if they do not matter.

    They matter if ``monitor`` is a loss. Label smoothing and weights of classes are among them:
    validation and test losses are measured without, which favours models that were trained without.
    values: every option by its dotted key; ``plain_loss`` is False for results of an older
    dlcourse, which measured these losses with label smoothing.
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
    if values.get(CLASS_WEIGHT) is None:
        parts.pop(CLASS_WEIGHT, None)
    if SMOOTHING in parts and values.get("plain_loss") is False:
        parts["loss.measured"] = "smoothed"
    return tuple(sorted(parts.items()))


def data_of(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the options that determine the examples and targets ``monitor`` was measured on.

    They are sorted (key, value) pairs. For a monitor of the training part they include the
    augmentations, which change its examples.
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
    if parts.get("data.missing") not in (None, "drop"):
        del parts["data.missing"]  # filled rows are the same rows
    return tuple(sorted(parts.items()))


def text(value: Any) -> str:
    """Return a value as text, the same for 1 and 1.0."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.12g}"
    return str(value)


def differing(some: Collection[tuple[tuple[str, str], ...]]) -> list[str]:
    """Return the keys in which several results of ``loss_of`` or ``data_of`` differ."""
    keys = list(dict.fromkeys(key for parts in some for key, _ in parts))
    return [key for key in keys if len({dict(parts).get(key) for parts in some}) > 1]


def overrides_text(parts: tuple[tuple[str, str], ...], keys: Collection[str]) -> str:
    """Return some keys of ``loss_of`` or ``data_of`` as overrides, ``loss=hinge loss.margin=2``."""
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
