"""Tables in CSV files: a header with the column names, then one row per example."""

import csv
import logging
import math
import os
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dlcourse.errors import UserError, did_you_mean, nearest, shown

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
LARGEST = float(np.finfo(np.float32).max)
MISSING = {"?", "-", "na", "n/a", "<na>", "nan", "null", "none", "missing"}  # in lower case
VISIBLE = 1e-3  # share of a column's standard deviation: smaller rounding errors do not matter

log = logging.getLogger(__name__)


class Table(NamedTuple):
    """The cells of a table as text, without surrounding spaces.

    lines: the line of the file at which each row starts, counted from 1.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]


def read_table(path: Path, separator: str) -> Table:
    """Read the header and the rows of a CSV file; empty lines are skipped.

    Cells may be quoted as in RFC 4180; the text is UTF-8, with or without a byte order mark.

    Raises UserError, with the line, for a missing file and for one that is not such a table.
    """
    if not os.path.isfile(path):  # also false if its folder cannot be read
        files = [file.name for file in path.parent.glob("*") if file.is_file()]
        meant = did_you_mean(path.name, files)
        raise UserError(
            f"The table {shown(path)} does not exist{f'; {meant}' if meant else '.'}\n"
            "Type data.root=<its folder> data.file=<its name>"
        )
    rows, lines, line = [], [], 1
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(
                file, delimiter=SEPARATORS[separator], skipinitialspace=True, strict=True
            )
            for row in reader:
                cells = [cell.strip() for cell in row]
                if cells not in ([], [""]):
                    rows.append(cells)
                    lines.append(line)
                line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)} is not UTF-8: {error}.\nSave it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{shown(path)}, line {line}: {error}.\nCorrect that line") from error
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read: {error}.\nMake it readable") from error
    if len(rows) < 2:
        raise UserError(
            f"{shown(path)} has no rows.\n"
            "Its first line names the columns, and every other is an example"
        )
    table = Table(path, rows[0], rows[1:], lines[1:])
    check_header(table, lines[0], separator)
    check_lengths(table)
    if looks_like_an_example(table.header):
        log.warning(
            "%s, line %d, %s, is read as the names of the columns; if it is an example, put a "
            "line of names above it", shown(path), lines[0], ", ".join(table.header[:3]),
        )  # fmt: skip
    return table


def looks_like_an_example(header: list[str]) -> bool:
    """Return whether a header holds numbers that are not a count 0, 1, 2 ... or 1, 2, 3 ... ."""
    numbers = [float(name) for name in header if is_number(name)]
    counted = any(numbers == list(range(first, first + len(header))) for first in (0, 1))
    every = len(numbers) == len(header) and not counted
    return every or any(not number.is_integer() for number in numbers)


def check_header(table: Table, line: int, separator: str) -> None:
    """Raise UserError for columns without a name, equal names, and the wrong separator."""
    where = f"{shown(table.path)}, line {line}"
    others = [
        name
        for name, mark in SEPARATORS.items()
        if len(table.header) == 1 and mark in table.header[0]
    ]
    if others:
        raise UserError(
            f"{where}: there is one column only, {table.header[0]!r}, with data.separator="
            f"{separator}.\nType data.separator={others[0]}"
        )
    for number, name in enumerate(table.header, start=1):
        if not name:
            raise UserError(f"{where}: column {number} has no name.\nGive it one")
        if table.header.index(name) != number - 1:
            first = table.header.index(name) + 1
            raise UserError(
                f"{where}: columns {first} and {number} are both called {name}.\nRename one"
            )


def check_lengths(table: Table) -> None:
    """Raise UserError for a row with more or fewer cells than the header."""
    for row, line in zip(table.rows, table.lines, strict=True):
        if len(row) != len(table.header):
            raise UserError(
                f"{shown(table.path)}, line {line}: the row has {len(row)} cells and the header "
                f"{len(table.header)}.\nCorrect that line; a separator inside a cell needs quotes "
                "around it"
            )


def column(table: Table, name: str, key: str) -> list[str]:
    """Return a column's cells; raises UserError for an unknown column and for empty cells.

    key: the config key that names the column, for the message.
    """
    if name not in table.header:
        raise UserError(
            f"{key}: {shown(table.path)} has no column {name}; {nearest(name, table.header)}.\n"
            f"Type {key} with the name of a column"
        )
    position = table.header.index(name)
    for row, line in zip(table.rows, table.lines, strict=True):
        if not row[position]:
            raise UserError(
                f"{shown(table.path)}, line {line}, column {name}: the cell is empty.\n"
                f"Fill it, remove the row, or name other columns in {key}"
            )
    return [row[position] for row in table.rows]


def number_column(table: Table, name: str, key: str) -> list[float]:
    """Return a column's cells as numbers; raises UserError for the first that is not a number."""
    cells = column(table, name, key)
    for cell, line in zip(cells, table.lines, strict=True):
        if not is_number(cell):
            raise UserError(
                f"{shown(table.path)}, line {line}, column {name}: {cell!r} is not a number.\n"
                f"Correct the cell, or name other columns in {key}"
            )
    return [float(cell) for cell in cells]


def lost_digits(table: Table, name: str) -> str:
    """Return an example of a cell that loses digits as a 32-bit float, or "".

    A rounding error counts if it exceeds 0.001 of the column's standard deviation, as with whole
    numbers above 16,777,216 that differ by one.
    """
    position = table.header.index(name)
    cells = [row[position] for row in table.rows]
    values = np.array(cells, dtype=np.float64)
    rounded = values.astype(np.float32).astype(np.float64)
    if np.abs(values).max() > 2**53:  # float64 has rounded them as well
        exact = list(map(Decimal, cells))
        error = np.array([abs(float(a - Decimal(b))) for a, b in zip(exact, rounded, strict=True)])
        spread = np.array([float(number - exact[0]) for number in exact]).std()
    else:
        error, spread = np.abs(values - rounded), values.std()
    worst = int(error.argmax())
    if not error[worst] > VISIBLE * spread:
        return ""
    becomes = float(rounded[worst])
    written = f"{becomes:.0f}" if becomes.is_integer() else f"{becomes:.17g}"
    return f"line {table.lines[worst]}: {cells[worst]} is read as {written}"


def is_number(cell: str) -> bool:
    """Return whether a cell is a number in the range of float32, such as 3, -0.5 or 1e6."""
    try:
        value = float(cell)
    except ValueError:
        return False
    return math.isfinite(value) and abs(value) <= LARGEST and "_" not in cell
