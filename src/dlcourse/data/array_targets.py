"""Turn arrays into the targets of a data set: classes, several classes each, or values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.array_inputs import LARGEST_FLOAT32, NUMBER_KINDS, as_array
from dlcourse.errors import UserError

MOST_CLASSES_OF_FLOATS = 20  # or a tenth of the examples: more distinct floats are no classes


def all_targets(
    arrays: Mapping[str, Any], task: str, names: Sequence[str] | None
) -> tuple[list[Tensor], tuple[str, ...]]:
    """Return the targets of each array, and the names of the classes, () for a regression.

    task: ``regression``: values (N,) or (N, K). ``multilabel``: a 1 for each class that an example
        has, (N, K). ``classification``: one class for each example, as a number or a text, (N,) or
        (N, 1); or rows (N, K) with a single 1.
    names: of the classes, in the order of their numbers; None: the distinct values of the first
        array, sorted.

    Raises UserError for other shapes, for values that are missing, and for classes that the first
    array lacks.
    """
    read = {where: as_array(array) for where, array in arrays.items()}
    for where, array in read.items():
        check_shape(array, where)
    if task == "regression":
        return [regression_values(array, where) for where, array in read.items()], ()
    if task == "multilabel":
        made = [indicators(array, where) for where, array in read.items()]
        return made, names_of_columns(made, names)
    if all(is_one_hot(array) for array in read.values()):
        made = [torch.from_numpy(array.argmax(1)) for array in read.values()]
        columns = [torch.from_numpy(array) for array in read.values()]
        return made, names_of_columns(columns, names)
    labels = {where: single_labels(array, where) for where, array in read.items()}
    found = classes_of(labels, names)
    return [positions(some, found, where) for where, some in labels.items()], tuple(map(str, found))


def check_shape(array: np.ndarray, where: str) -> None:
    """Raise UserError for targets that are not one or two dimensions of numbers or texts."""
    if array.ndim not in (1, 2) or len(array) == 0:
        raise UserError(
            f"{where} has the shape {array.shape}, and targets have the shape (N,) or (N, K), with "
            "one row for each example.\nReshape it"
        )


def regression_values(array: np.ndarray, where: str) -> Tensor:
    """Return the values of a regression as float32 (N, K)."""
    if array.dtype.kind not in NUMBER_KINDS:
        raise UserError(
            f"{where} holds {array.dtype.name}, and a regression predicts numbers.\n"
            "Type data.task=classification, or convert it to numbers"
        )
    if not (np.abs(array.astype(np.float64)) <= LARGEST_FLOAT32).all():
        raise UserError(f"{where} holds numbers that are not finite.\nLeave out their examples")
    return torch.from_numpy(array.reshape(len(array), -1).astype(np.float32))


def indicators(array: np.ndarray, where: str) -> Tensor:
    """Return rows of 0 and 1 as float32 (N, K)."""
    if array.ndim != 2 or array.dtype.kind not in NUMBER_KINDS or not np.isin(array, (0, 1)).all():
        raise UserError(
            f"{where} has the shape {array.shape}, and data.task=multilabel needs rows (N, K) with "
            "a 1 for each class that an example has and 0 for the others.\n"
            "Convert it, or type data.task=classification"
        )
    return torch.from_numpy(array.astype(np.float32))


def is_one_hot(array: np.ndarray) -> bool:
    """Return whether every row has several columns, a single 1, and 0 in all others."""
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in NUMBER_KINDS:
        return False
    return bool(np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all())


def names_of_columns(made: Sequence[Tensor], names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the name of each column (N, K): the given one, or its number."""
    count = made[0].shape[1]
    if names is not None and len(names) != count:
        raise UserError(
            f"There are {len(names)} names of classes, and the targets have {count} columns.\n"
            "Give each column a name"
        )
    return tuple(map(str, range(count) if names is None else names))


def single_labels(array: np.ndarray, where: str) -> np.ndarray:
    """Return the class of each example (N,) as integers or texts; raises UserError for others."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        raise UserError(
            f"{where} has the shape {array.shape}, and each example has one class.\n"
            "Type data.task=multilabel if an example can have several, or data.task=regression"
        )
    if array.dtype.kind == "O":
        if not all(isinstance(label, str) for label in array):
            raise UserError(
                f"{where} holds objects that are not text, or missing values.\n"
                "Convert it to texts or whole numbers"
            )
        array = array.astype(str)
    if array.dtype.kind == "f":
        if not (array == np.round(array)).all():  # also for nan
            wrong = array[array != np.round(array)][0]
            raise UserError(
                f"{where} holds {wrong}, and classes are whole numbers or texts.\n"
                "Type data.task=regression loss=mse monitor=val/loss mode=min to predict values"
            )
        if len(np.unique(array)) > max(MOST_CLASSES_OF_FLOATS, len(array) / 10):
            raise UserError(
                f"{where} holds {len(np.unique(array))} different floats, which are values rather "
                "than classes.\n"
                "Type data.task=regression loss=mse monitor=val/loss mode=min, or save whole "
                "numbers (dtype=int) if they are classes"
            )
        array = array.astype(np.int64)
    if array.dtype.kind not in "biuUS":
        raise UserError(
            f"{where} holds {array.dtype.name}, and classes are whole numbers or texts.\nConvert it"
        )
    return array.astype(np.int64) if array.dtype.kind in "biu" else array.astype(str)


def classes_of(labels: Mapping[str, np.ndarray], names: Sequence[str] | None) -> list:
    """Return the classes in the order of their numbers; raises UserError for fewer than two."""
    first = next(iter(labels))
    for key, values in labels.items():
        if values.dtype.kind != labels[first].dtype.kind:
            raise UserError(
                f"The classes of {first} and {key} are numbers in one and texts in the other.\n"
                "Convert one of them"
            )
    if names is None:
        found = np.unique(labels[first]).tolist()
    elif labels[first].dtype.kind == "i":
        low, high = min(map(np.min, labels.values())), max(map(np.max, labels.values()))
        if low < 0 or high >= len(names):
            raise UserError(
                f"There are {len(names)} names of classes, and {first} has classes from {low} to "
                f"{high}.\nCount the classes from 0, and give each a name"
            )
        found = list(map(str, names))
    else:
        found = list(map(str, names))
    if len(found) < 2:
        raise UserError(
            f"{first} has {len(found)} class, and at least 2 are needed.\n"
            "Take more examples, or type data.task=regression"
        )
    return found


def positions(labels: np.ndarray, classes: list, where: str) -> Tensor:
    """Return the position (N,) of each label among the classes."""
    if labels.dtype.kind == "i" and isinstance(classes[0], str):
        return torch.from_numpy(labels)  # the names of numbers from 0
    number = {name: position for position, name in enumerate(classes)}
    unknown = sorted(set(labels.tolist()) - number.keys())
    if unknown:
        raise UserError(
            f"{where} has classes that the training part lacks: "
            f"{', '.join(map(str, unknown[:5]))}.\n"
            "Add examples of them to the training part, or leave them out"
        )
    return torch.tensor([number[label] for label in labels.tolist()])
