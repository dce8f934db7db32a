"""Predictions as a table: a row for each example, with its name and all probabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

THRESHOLD = 0.5  # the probability from which an example is said to have a class, of several
BETWEEN = "|"  # between the classes of an example that has several
SHARE_FORMAT = "{:.6f}"  # of a probability
VALUE_FORMAT = "{:.9g}"  # of a regression: the digits of a 32-bit float


def threshold_of(config: Mapping[str, Any]) -> float:
    """Return the probability from which an example is said to have a class, of several."""
    return config["metric"].get("multilabel", {}).get("threshold", THRESHOLD)


def prediction_header(task: str, classes: Sequence[str], values: Sequence[str]) -> list[str]:
    """Return the names of the columns that ``prediction_cells`` fills.

    values: the names of a regression's K values.
    """
    if task == "regression":
        return list(values)
    return ["class", "probability", *classes] if task == "classification" else ["classes", *classes]


def prediction_cells(
    predicted: Tensor, task: str, classes: Sequence[str], threshold: float = THRESHOLD
) -> list[list[str]]:
    """Return the cells of each example.

    They are the most probable class, its probability and those of all classes; of several classes
    those with a probability of at least ``threshold``, and all probabilities; of a regression its
    values.

    predicted: (N, K) probabilities or values.
    """
    rows = predicted.tolist()
    if task == "regression":
        return [[VALUE_FORMAT.format(value) for value in row] for row in rows]
    cells = [[SHARE_FORMAT.format(share) for share in row] for row in rows]
    if task == "multilabel":
        found = [[name for name, p in zip(classes, row, strict=True) if p >= threshold]
                 for row in rows]  # fmt: skip
        return [[BETWEEN.join(names), *one] for names, one in zip(found, cells, strict=True)]
    best: list[int] = predicted.argmax(1).tolist()
    return [[str(classes[k]), one[k], *one] for k, one in zip(best, cells, strict=True)]


def target_header(task: str, values: Sequence[str]) -> list[str]:
    """Return the names of the columns that ``target_cells`` fills."""
    return [f"target {name}" for name in values] if task == "regression" else ["target"]


def target_cells(targets: Tensor, task: str, classes: Sequence[str]) -> list[list[str]]:
    """Return the cells of each example's target: (N,) classes, or (N, K) labels or values."""
    rows = targets.tolist()
    if task == "regression":
        return [[VALUE_FORMAT.format(value) for value in row] for row in rows]
    if task == "multilabel":
        return [[BETWEEN.join(n for n, y in zip(classes, row, strict=True) if y)] for row in rows]
    return [[str(classes[target])] for target in rows]


def value_names(names: Sequence[str], count: int) -> list[str]:
    """Return the names of a regression's values; ``value`` or ``value 1`` ... without any."""
    if names:
        return list(names)
    return ["value"] if count == 1 else [f"value {number}" for number in range(1, count + 1)]
