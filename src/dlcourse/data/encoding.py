"""How a table's columns become numbers: the columns with their kinds, and the features they make.

An ``Encoding`` is made from the training rows once, stored with the run, and used for every other
table.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from dlcourse.data.cells import (
    TRUTH_WORDS,
    cell_text,
    date_of,
    days_of,
    is_number,
    missing_among,
    number_of,
    numbers_in_cells,
    truth_in,
    why_no_number,
)
from dlcourse.data.table import Table
from dlcourse.errors import UserError, shown
from dlcourse.schema.stored_shape import misfit

FILLS = ("mean", "median", "most_frequent")  # the values of data.missing that keep such rows
CYCLES = {
    "month": lambda date: (date.month - 1) / 12,
    "weekday": lambda date: date.weekday() / 7,
    "hour": lambda date: (date.hour + date.minute / 60) / 24,
}
"""The position of a date in a cycle, from 0 to 1, for each part that is cyclic."""


COLUMN_KINDS = ("number", "boolean", "date", "one_hot", "ordinal")
ENCODING_SHAPE = {
    "columns": [{"name": str, "kind": str, "values": [str], "parts": [str], "style": str}],
    "missing": str, "missing_values": [str], "targets": [str],
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of a table that becomes one or several features.

    kind: ``number``; ``boolean``, which becomes 0 or 1; ``date``; ``one_hot``, a feature of 0 and 1
        for each value; or ``ordinal``, the number of its value.
    values: of text, in order; of ``boolean`` the words for 0 and 1, in lower case.
    parts: of a date, some of days, month, weekday and hour. style: its format, "" for ISO 8601.
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    style: str = ""

    @property
    def features(self) -> list[str]:
        """The names of its features."""
        if self.kind == "one_hot":
            return [f"{self.name}={value}" for value in self.values]
        if self.kind == "date":
            return [f"{self.name} {part}" for part in date_features(self.parts)]
        return [self.name]


@dataclass(frozen=True)
class Encoding:
    """The columns of a table that become features, and how missing cells are treated.

    missing: ``refuse``, ``drop``, or how each fold fills them: ``mean``, ``median`` or
        ``most_frequent``.
    missing_values: the words that count as missing, as typed. targets: the columns to predict.
    """

    columns: tuple[Column, ...]
    missing: str = "refuse"
    missing_values: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @property
    def fills(self) -> bool:
        """Whether missing cells are filled."""
        return self.missing in FILLS

    @property
    def words(self) -> set[str]:
        """The words that count as missing, in lower case."""
        return {word.casefold() for word in self.missing_values}

    @property
    def features(self) -> tuple[str, ...]:
        """The names of all features (D,)."""
        return tuple(name for column in self.columns for name in column.features)

    def slices(self) -> Iterator[tuple[Column, slice]]:
        """Yield every column with the positions of its features."""
        start = 0
        for column in self.columns:
            stop = start + len(column.features)
            yield column, slice(start, stop)
            start = stop


@dataclass
class Unknown:
    """Counts cells with text that the training rows do not have, by column and text."""

    found: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, column: str, cell: str) -> None:
        """Count a cell."""
        self.found.setdefault(column, Counter())[cell] += 1

    def text(self) -> str:
        """Return the columns with their most frequent unknown texts, ``city: Rom (2)``."""
        parts = []
        for column, counts in self.found.items():
            listed = ", ".join(f"{shown(cell)} ({count})" for cell, count in counts.most_common(5))
            parts.append(f"{column}: {listed}{' ...' if len(counts) > 5 else ''}")
        return "; ".join(parts)


def date_features(parts: Sequence[str]) -> list[str]:
    """Return the names of the features of a date without its column's name."""
    names = []
    for part in parts:
        names += [part] if part == "days" else [f"{part} sin", f"{part} cos"]
    return names


def date_numbers(date: datetime, parts: Sequence[str]) -> list[float]:
    """Return the features of a date: days since 1970-01-01, and a point on a circle per cycle."""
    numbers = []
    for part in parts:
        if part == "days":
            numbers.append(days_of(date))
        else:
            angle = 2 * math.pi * CYCLES[part](date)
            numbers += [math.sin(angle), math.cos(angle)]
    return numbers


def encode(encoding: Encoding, table: Table, unknown: Unknown) -> np.ndarray:
    """Return the features (N, D) of a table's rows, float64, with NaN for missing cells.

    With ``data.missing=drop`` a row with a missing cell has NaN as well. unknown: gets the texts
    that are in no training row; their one-hot features are all 0.

    Raises UserError, with line and column, for a cell that does not fit its column, and for a
    missing one with ``data.missing=refuse``.
    """
    found, words = np.empty((len(table.rows), len(encoding.features))), encoding.words
    for column, place in encoding.slices():
        cells = table.cells(column.name)
        gaps = missing_among(cells, words)
        if gaps and encoding.missing == "refuse":
            row = next(row for row, cell in enumerate(cells) if cell in gaps)
            raise UserError(missing_cell(table, row, column.name))
        numbers = None
        if column.kind == "number":
            numbers = numbers_in_cells(cells, gaps, table.decimal)
        if numbers is not None:
            found[:, place.start] = numbers
            continue
        known: dict[str, float | list[float]] = dict.fromkeys(gaps, math.nan)
        for row, cell in enumerate(cells):
            if cell not in known:  # equal cells are converted once
                known[cell] = cell_features(column, cell, table, row, encoding, unknown)
            found[row, place] = known[cell]
        for cell in unknown.found.get(column.name, ()):
            unknown.found[column.name][cell] = cells.count(cell)
    return found


def cell_features(
    column: Column, cell: str, table: Table, row: int, encoding: Encoding, unknown: Unknown
) -> float | list[float]:
    """Return the features of a cell that is not missing."""
    if column.kind == "number":
        if not is_number(cell, table.decimal):
            raise UserError(not_a_number(table, row, column.name, cell))
        return number_of(cell, table.decimal)
    if column.kind == "date":
        date = date_of(cell, column.style)
        if date is None:
            raise UserError(not_a_date(table, row, column, cell))
        return date_numbers(date, column.parts)
    if column.kind == "boolean":
        value = truth_in(cell)
        if value is not None:
            return float(value)
    value = cell_text(cell)
    if column.kind == "one_hot":
        if value not in column.values:
            unknown.add(column.name, cell)
        return [float(value == known) for known in column.values]
    if value in column.values:
        return float(column.values.index(value))
    if encoding.missing == "refuse":
        raise UserError(not_a_value(table, row, column, cell))
    unknown.add(column.name, cell)
    return math.nan


def missing_cell(table: Table, row: int, name: str) -> str:
    """Return the message for a missing cell."""
    cell = table.cells(name)[row]
    what = f"{shown(cell)!r} counts as a missing cell" if cell else "the cell is empty"
    word = (
        "; if it is a value, type data.missing_values with the other words for missing cells, or []"
    )
    return (
        f"{table.place(row, name)}: {what}.\n"
        "Type data.missing=mean, median or most_frequent to fill missing cells, data.missing=drop "
        f"to leave out their rows, or 'data.exclude=[{name}]' to leave out the column"
        f"{word if cell else ''}"
    )


def not_a_number(table: Table, row: int, name: str, cell: str) -> str:
    """Return the message for a cell that is not a number in a column of numbers."""
    return (
        f"{table.place(row, name)}: {shown(cell)!r} is not a number.\n"
        f"{why_no_number(cell, table.decimal)}; if it stands for a missing cell, add it to "
        f"data.missing_values; if the column is text, type 'data.one_hot=[{name}]'; to leave it "
        f"out, type 'data.exclude=[{name}]'"
    )


def not_a_date(table: Table, row: int, column: Column, cell: str) -> str:
    """Return the message for a cell that is not a date in a column of dates."""
    style = f"data.date_format={column.style}" if column.style else "2024-03-31 or 2024-03-31T18:30"
    return (
        f"{table.place(row, column.name)}: {shown(cell)!r} is not a date written as {style}.\n"
        f"Correct the cell, or type 'data.exclude=[{column.name}]' to leave out the column"
    )


def not_a_value(table: Table, row: int, column: Column, cell: str) -> str:
    """Return the message for a cell that is none of the known values of its column."""
    listed = ", ".join(map(shown, column.values[:10])) + " ..." * (len(column.values) > 10)
    return (
        f"{table.place(row, column.name)}: {shown(cell)!r} is none of its values: {listed}.\n"
        "Correct the cell, add it to data.ordinal, or type data.missing=most_frequent to fill it"
    )


def as_dict(encoding: Encoding) -> dict[str, Any]:
    """Return an encoding as dicts, lists and text."""
    return asdict(encoding)


def from_dict(stored: dict[str, Any]) -> Encoding:
    """Return the encoding of ``as_dict``; raises ValueError for other content."""
    problem = misfit(stored, ENCODING_SHAPE)
    if problem:
        raise ValueError(problem)
    columns = tuple(
        Column(
            one["name"], one["kind"], tuple(one["values"]), tuple(one["parts"]), one["style"]
        )
        for one in stored["columns"]
    )  # fmt: skip
    for column in columns:
        if column.kind not in COLUMN_KINDS or not {*column.parts} <= {"days", *CYCLES}:
            raise ValueError(f"the column {column.name} is of an unknown kind")
        if column.kind == "boolean" and len(column.values) != 2:
            raise ValueError(f"the column {column.name} has not two words for 0 and 1")
    words, targets = tuple(stored["missing_values"]), tuple(stored["targets"])
    return Encoding(columns, stored["missing"], words, targets)


def truth_words(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the words for 0 and 1 if all cells are of one such pair, else ()."""
    pairs = {TRUTH_WORDS.get(cell.lower(), ()) for cell in set(cells)}
    return pairs.pop() if len(pairs) == 1 else ()
