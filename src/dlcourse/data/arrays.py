"""Make a data set of arrays in memory: the parts of ``data=npz`` and ``data=function``."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.array_inputs import all_inputs, as_array
from dlcourse.data.array_targets import all_targets
from dlcourse.data.test_split import split_off_test
from dlcourse.errors import UserError, nearest, shown

PART_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test",
}  # fmt: skip
ROLES = {
    "inputs": ("x", "data", "images", "image", "inputs", "input", "features"),
    "targets": ("y", "target", "targets", "labels", "label"),
    "weights": ("weights", "weight", "sample_weight", "sample_weights"),
    "ids": ("ids", "id"),
}
"""What an array is, by its usual names; of several, the first one is taken."""
NAMING_KEYS = {
    "classes": ("classes", "class_names", "target_names", "label_names"),
    "features": ("feature_names", "columns"),
}
PART_FIRST = re.compile(rf"({'|'.join(PART_NAMES)})_(.+)", re.IGNORECASE)
PART_LAST = re.compile(rf"(.+)_({'|'.join(PART_NAMES)})", re.IGNORECASE)

Parts = dict[str, dict[str, tuple[str, Any]]]
"""For each part the name and the array of each role, ``{"train": {"inputs": ("x", ...)}}``."""


class Found(NamedTuple):
    """Arrays by part and role, names by what they name, and the keys of the other arrays."""

    parts: Parts
    names: dict[str, list[str]]
    others: list[str]


def find_arrays(
    arrays: Mapping[str, Any], inputs: str | None = None, targets: str | None = None
) -> Found:
    """Find out what the arrays of a mapping are, by their keys, in capital or small letters.

    The keys are ``x`` and ``y``, or ``x_train``, ``train_x`` and so on for the parts ``train``,
    ``val`` and ``test``; ROLES has the other usual names.

    inputs, targets: the name of the inputs and of the targets, without the part; None: a usual one.
    """
    roles = dict(ROLES)
    roles |= {} if inputs is None else {"inputs": (inputs.lower(),)}
    roles |= {} if targets is None else {"targets": (targets.lower(),)}
    parts: Parts = {}
    named: dict[str, list[str]] = {}
    used: set[str] = set()
    keys = {key: part_and_rest(key) for key in arrays if isinstance(key, str)}
    for part in ("train", "val", "test"):
        for role, usual in roles.items():
            for name in usual:
                fit = [key for key, (where, rest) in keys.items() if (where, rest) == (part, name)]
                if fit and role not in parts.get(part, {}):
                    parts.setdefault(part, {})[role] = (fit[0], arrays[fit[0]])
                    used.add(fit[0])
    for what, usual in NAMING_KEYS.items():
        fit = [key for key in keys if key.lower() in usual and key not in used]
        if fit and arrays[fit[0]] is not None:
            named[what] = [str(name) for name in as_array(arrays[fit[0]]).ravel().tolist()]
            used.add(fit[0])
    return Found(parts, named, [key for key in keys if key not in used])


def part_and_rest(key: str) -> tuple[str, str]:
    """Return the part and the rest of a key: ``("test", "x")`` of ``x_test``; train if none."""
    if match := PART_FIRST.fullmatch(key):
        return PART_NAMES[match[1].lower()], match[2].lower()
    if match := PART_LAST.fullmatch(key):
        return PART_NAMES[match[2].lower()], match[1].lower()
    return "train", key.lower()


def dataset_of_arrays(
    parts: Parts,
    *,
    name: str,
    task: str,
    layout: str,
    test_fraction: float,
    seed: int,
    classes: Sequence[str] | None = None,
    features: Sequence[str] = (),
    target_names: Sequence[str] = (),
) -> Dataset:
    """Return the data set of some arrays.

    parts: of ``train`` and, where they exist, ``val`` and ``test``. Without ``test``,
        ``test_fraction`` of the training part is split off, the same examples in every run.
    task: ``classification``, ``multilabel`` or ``regression``; see ``all_targets``.
    layout: the order of the axes of images; see ``channels_first``.
    classes, features, target_names: the names of classes, of the columns and of the values.

    Raises UserError for arrays that are missing, or do not fit each other.
    """
    for part, arrays in parts.items():
        check_arrays(part, arrays)
    order = [part for part in ("train", "val", "test") if part in parts]
    inputs = all_inputs({parts[part]["inputs"][0]: parts[part]["inputs"][1] for part in order},
                        layout)  # fmt: skip
    targets, named = all_targets(
        {parts[part]["targets"][0]: parts[part]["targets"][1] for part in order}, task, classes
    )
    splits = {
        part: Split(x, y, weights=example_weights(parts[part]), ids=example_ids(parts[part]))
        for part, x, y in zip(order, inputs, targets, strict=True)
    }
    train = splits["train"]
    if "test" in splits:
        test = splits["test"]
    else:
        held = round(len(train) * test_fraction)
        if not 0 < held < len(train):
            raise UserError(
                f"data.test_fraction={test_fraction} of {len(train)} examples leaves {held} to "
                "test on.\nType another fraction, or add examples"
            )
        single = task == "classification"
        train, test = split_off_test(train, held, seed, classes=single)
    val = splits.get("val")
    columns = tuple(features) if train.inputs.dim() == 2 else ()
    if columns and len(columns) != train.inputs.shape[1]:
        columns = ()
    return Dataset(
        name=shown(name),
        train=train if val is None else train.followed_by(val),
        test=test,
        classes=named,
        ready_val=0 if val is None else len(val),
        features=columns,
        target_names=tuple(target_names) if task == "regression" else (),
    )


def check_arrays(part: str, arrays: Mapping[str, tuple[str, Any]]) -> None:
    """Raise UserError if a part has no inputs or no targets, or arrays of different lengths."""
    if missing := [role for role in ("inputs", "targets") if role not in arrays]:
        have = ", ".join(key for key, _ in arrays.values())
        raise UserError(
            f"The {part} part has no {missing[0]}; it has {have}.\n"
            f"Name an array {ROLES[missing[0]][0]}_{part}"
        )
    lengths = {key: len(as_array(array)) for key, array in arrays.values() if as_array(array).ndim}
    first, *others = lengths
    for other in others:
        if lengths[other] != lengths[first]:
            raise UserError(
                f"{first} has {lengths[first]:,} examples and {other} {lengths[other]:,}.\n"
                "Give both one entry for each example"
            )


def example_weights(arrays: Mapping[str, tuple[str, Any]]) -> Tensor | None:
    """Return the weight (N,) of each example in the loss; raises UserError for negative ones."""
    if "weights" not in arrays:
        return None
    key, values = arrays["weights"]
    array = as_array(values)
    fits = array.ndim == 1 and array.dtype.kind in "biuf"
    if not fits or not ((array >= 0) & (array < np.inf)).all() or not array.any():
        raise UserError(
            f"{key} must hold one weight for each example, of at least 0 and not all 0.\nCorrect it"
        )
    return torch.from_numpy(array.astype(np.float32))


def example_ids(arrays: Mapping[str, tuple[str, Any]]) -> np.ndarray | None:
    """Return the name (N,) of each example; raises UserError for other shapes and types."""
    if "ids" not in arrays:
        return None
    key, values = arrays["ids"]
    array = as_array(values)
    if array.ndim != 1 or array.dtype.kind not in "biufSUOM":
        raise UserError(f"{key} must hold one name or number for each example.\nCorrect it")
    return array.astype(str)


def need_train(found: Found, where: str) -> Parts:
    """Return the parts of some arrays; raises UserError if there is no training part in them."""
    if "inputs" in found.parts.get("train", {}):
        return found.parts
    have = [*found.others, *(key for part in found.parts.values() for key, _ in part.values())]
    raise UserError(
        f"{where} has no inputs; {nearest('x', have) if have else 'it is empty'}.\n"
        "Name the arrays x and y, or x_train, y_train, x_test and y_test"
    )
