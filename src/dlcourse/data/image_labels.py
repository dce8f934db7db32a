"""Read the classes of images, several for each, from a CSV file next to them."""

import csv
import logging
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from dlcourse.data.image_file import first_of
from dlcourse.data.scan import READY, Listing, images_below
from dlcourse.errors import UserError, nearest, shown

FILE_COLUMNS = ("file", "filename", "image", "path")  # names of the column of files
CELL_VALUES = {"0": False, "1": True, "0.0": False, "1.0": True, "": False}

log = logging.getLogger(__name__)


class Labelled(NamedTuple):
    """Images with their classes.

    listing: the images of ``train`` and, where there are any, of ``val`` and ``test``.
    targets: (N, K) float32 in the order of the listing, 1 for each class that an image has.
    left_out: one line on images that are left out, or "".
    """

    listing: Listing
    targets: Tensor
    classes: tuple[str, ...]
    left_out: str


def labelled_images(top: Path, labels: str) -> Labelled:
    """Return the images in a folder that a CSV file in it lists, with their classes.

    The column ``file`` has each image's path inside the folder. Either every other column is a
    class, with cells of 0 and 1; or the only other column has the classes of each image, separated
    by ``|`` or, without any ``|`` in the column, by spaces. Images below ``train``, ``val`` and
    ``test`` are these parts, if there is a ``train``. Images that the file does not list are left
    out.

    Raises UserError for a file that is not such a table, for images that it lists and that do not
    exist, and for fewer than two classes.
    """
    path = top / labels
    files, rows, classes = read_labels(path)
    found, left_out = images_below(top, path)
    by_name = {as_name(image.relative_to(top)): image for image in found}
    missing = [name for name in files if name not in by_name]
    if missing:
        close = nearest(missing[0], list(by_name)) if by_name else "the folder has no images"
        raise UserError(
            f"{shown(path)} lists {len(missing):,} of {len(files):,} files that are not images in "
            f"{shown(top)}, the first is {shown(missing[0])}; {close}.\n"
            f"Write paths inside {shown(top)}, with the suffix, or remove these lines"
        )
    parts = [part_of_file(name) for name in files]
    if "train" not in parts:
        parts = ["train"] * len(files)
    listing: Listing = {}
    order: list[int] = []
    for part in ("train", *READY):
        own = sorted(row for row, name in enumerate(parts) if name == part)
        if own:
            own.sort(key=lambda row: files[row])
            listing[part] = [by_name[files[row]] for row in own]
            order += own
    targets = torch.tensor([rows[row] for row in order], dtype=torch.float32)  # (N, K)
    report_classes_without_images(path, targets[: len(listing["train"])], classes)
    unlisted = sorted(set(by_name) - set(files))
    outside = [name for name, part in zip(files, parts, strict=True) if part not in listing]
    notes = [left_out]
    for names, what in ((unlisted, "without a line"), (outside, "outside of train, val and test")):
        if names:
            notes.append(f"{len(names):,} images {what} in {shown(path)} are left out: "
                         f"{first_of([Path(name) for name in names])}")  # fmt: skip
    return Labelled(listing, targets, classes, "; ".join(filter(None, notes)))


def read_labels(path: Path) -> tuple[list[str], list[list[bool]], tuple[str, ...]]:
    """Return the files of a table of labels, which classes each has, and the names of the classes.

    Raises UserError for a file that is not such a table.
    """
    header, cells = read_cells(path)
    names = [name.lower() for name in header]
    column = next((names.index(name) for name in FILE_COLUMNS if name in names), None)
    if column is None or len(header) < 2:
        raise UserError(
            f"{shown(path)} has the columns {', '.join(map(shown, header))}.\n"
            "Name the column of image files `file`, and add a column of 0 and 1 for each class, or "
            "one column of labels such as cat|dog"
        )
    files = [as_name(Path(row[column])) for row in cells]
    twice = (
        [name for name in files if files.count(name) > 1] if len(set(files)) < len(files) else []
    )
    if twice:
        raise UserError(
            f"{shown(path)} lists {shown(twice[0])} more than once.\n"
            "Write one line for each image, with all its classes"
        )
    others = [number for number in range(len(header)) if number != column]
    if len(others) == 1:
        flags, classes = from_lists([row[others[0]] for row in cells])
    else:
        classes = tuple(shown(header[number]) for number in others)
        flags = [flags_of(path, line, [row[n] for n in others], classes)
                 for line, row in enumerate(cells, 2)]  # fmt: skip
    if len(classes) < 2:
        raise UserError(
            f"{shown(path)} has {len(classes)} classes, and at least 2 are needed.\n"
            "Add images of other classes, or a folder per class and data.labels=null"
        )
    return files, flags, classes


def read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV file; raises UserError if it cannot be read."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"The labels {shown(path)} cannot be read: {shown(error)}.\n"
            "Type data.labels=<a CSV file inside the folder of the images>"
        ) from error
    if len(lines) < 2:
        raise UserError(
            f"{shown(path)} has no line with an image.\nWrite a header and a line for each image"
        )
    header, *cells = lines
    for line, row in enumerate(cells, 2):
        if len(row) != len(header):
            raise UserError(
                f"{shown(path)}, line {line}: {len(row)} cells under {len(header)} columns.\n"
                "Put quotation marks around cells that contain commas"
            )
    return header, cells


def from_lists(cells: Sequence[str]) -> tuple[list[list[bool]], tuple[str, ...]]:
    """Return which classes each row has, and all classes, from cells such as ``cat|dog``."""
    separator = "|" if any("|" in cell for cell in cells) else None  # None: at spaces
    lists = [{shown(one.strip()) for one in cell.split(separator)} - {""} for cell in cells]
    classes = tuple(sorted(set().union(*lists)))
    return [[name in own for name in classes] for own in lists], classes


def flags_of(path: Path, line: int, cells: Sequence[str], classes: Sequence[str]) -> list[bool]:
    """Return which classes a row has; raises UserError for a cell that is not 0 or 1."""
    for cell, name in zip(cells, classes, strict=True):
        if cell not in CELL_VALUES:
            raise UserError(
                f"{shown(path)}, line {line}, column {name}: {shown(cell)} is not 0 or 1.\n"
                "Write 1 for each class that the image has; or all classes into one column, "
                "separated by |"
            )
    return [CELL_VALUES[cell] for cell in cells]


def report_classes_without_images(path: Path, targets: Tensor, classes: Sequence[str]) -> None:
    """Log a warning about classes that no training image has. targets: (N, K)."""
    empty = [name for name, count in zip(classes, targets.sum(0), strict=True) if not count]
    if empty:
        log.warning("%s: no training image has the classes %s", shown(path), ", ".join(empty))


def as_name(path: Path) -> str:
    """Return a path as the files of labels name it: with slashes, in Unicode form NFC."""
    return unicodedata.normalize("NFC", os.path.normpath(path.as_posix().replace("\\", "/")))


def part_of_file(name: str) -> str:
    """Return the part that a path belongs to by its first folder; ``other`` for no such folder."""
    first = name.split("/")[0] if "/" in name else ""
    if first == "train":
        return "train"
    return next((part for part, names in READY.items() if first in names), "other")
