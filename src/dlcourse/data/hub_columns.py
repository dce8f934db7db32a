"""Find the columns of images, features and labels in a data set of Hugging Face."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlcourse.errors import UserError, nearest

USUAL_LABELS = ("label", "labels", "target", "targets", "y", "class")
NO_LABEL = -1  # of a ClassLabel


class Columns(NamedTuple):
    """Names of columns. image: None if there are none; then ``numbers`` are the features."""

    label: str
    image: str | None
    numbers: list[str]


def find_columns(features: Mapping[str, Any], label: str | None, image: str | None) -> Columns:
    """Return the columns to predict from and the column to predict, by the features' types.

    label, image: their names; None: the only possible ones. Raises UserError if there is none, or a
    choice.
    """
    for option, name in (("label_column", label), ("image_column", image)):
        if name is not None and name not in features:
            raise UserError(
                f"The data set has no column {name}; {nearest(name, features)}.\n"
                f"Type data.{option}=<one of them>"
            )
    kinds = {name: type(feature).__name__ for name, feature in features.items()}
    if label is None:
        label = only_one(kinds, features)
    images = [name for name, kind in kinds.items() if kind == "Image"]
    if image is None and len(images) > 1:
        raise UserError(
            f"The data set has several columns of images: {', '.join(images)}.\n"
            f"Type data.image_column={images[0]}"
        )
    image = image or next(iter(images), None)
    if image is not None and kinds[image] != "Image":
        raise UserError(
            f"The column {image} holds {kinds[image]} and not images.\n"
            "Cast it by cast_column(..., datasets.Image()), or name another data.image_column"
        )
    numbers = [
        name for name, feature in features.items() if is_number_column(feature) and name != label
    ]
    if image is None and not numbers:
        raise UserError(
            "The data set has neither images nor columns of numbers to predict from: it has "
            f"{', '.join(f'{name} ({kind})' for name, kind in kinds.items())}.\n"
            "Convert texts to numbers first; data=parquet encodes columns of text"
        )
    return Columns(label, image, numbers)


def only_one(kinds: Mapping[str, str], features: Mapping[str, Any]) -> str:
    """Return the only column of classes, or the one with a usual name."""
    with_classes = [name for name, feature in features.items() if classes_in(feature) is not None]
    usual = [name for name in kinds if name.lower() in USUAL_LABELS]
    if len(with_classes) == 1:
        return with_classes[0]
    for found in (usual, with_classes):
        if len(found) == 1:
            return found[0]
    several = ", ".join(with_classes or usual or kinds)
    raise UserError(
        f"Which column of the data set is to be predicted is not clear; it has {several}.\n"
        f"Type data.label_column={(with_classes or usual or list(kinds))[-1]}"
    )


def is_number_column(feature: Any) -> bool:
    """Return whether a column holds one number or truth value in each row."""
    kind = getattr(feature, "dtype", "")
    return type(feature).__name__ == "Value" and kind.startswith(("int", "uint", "float", "bool"))


def classes_in(feature: Any) -> Sequence[str] | None:
    """Return the class names of a column of classes, or of lists of classes; None for others."""
    inner = getattr(feature, "feature", feature)  # of a list
    if isinstance(feature, list):
        inner = feature[0]
    return inner.names if type(inner).__name__ == "ClassLabel" else None


def labels_of_rows(
    rows: Any, column: str, task: str, where: str
) -> tuple[np.ndarray, Sequence[str] | None]:
    """Return the labels (N,) of some rows, or (N, K) for several classes, and the class names.

    where: for messages. Raises UserError for rows without a label, and for lists of classes in
    another task than ``multilabel``.
    """
    if column not in rows.features:
        raise UserError(f"{where} does not exist.\nType data.label_column=<a column of all splits>")
    names = classes_in(rows.features[column])
    stored = rows.select_columns([column]).with_format("arrow")[:][column].to_pylist()
    missing = [number for number, label in enumerate(stored) if label is None or (label == NO_LABEL
               and names is not None)]  # fmt: skip
    if missing:
        raise UserError(
            f"{where}: {len(missing):,} rows have no label, the first is row {missing[0]}.\n"
            "Type data.test_split=null (or another split) if it is the test split; else leave out "
            "these rows"
        )
    if not isinstance(stored[0], list):
        return np.array(stored), names
    if task != "multilabel" or names is None:
        raise UserError(
            f"{where} holds lists.\n"
            "Type data.task=multilabel loss=bce 'metric=[multilabel]' monitor=val/f1_macro if "
            "they are lists of classes (ClassLabel)"
        )
    made = np.zeros((len(stored), len(names)), np.int64)
    for row, some in zip(made, stored, strict=True):
        row[some] = 1
    return made, names


def number_rows(rows: Any, columns: Sequence[str]) -> np.ndarray:
    """Return columns of numbers as (N, D) float64; missing ones are nan."""
    table = rows.select_columns(list(columns)).with_format("arrow")[:]
    made = [
        np.array([np.nan if cell is None else cell for cell in table[name].to_pylist()], np.float64)
        for name in columns
    ]
    return np.stack(made, 1)
