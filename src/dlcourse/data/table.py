"""Tables in CSV files: a header with the column names, then one row per example."""

import csv
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dlcourse.data.cells import is_number
from dlcourse.errors import UserError, did_you_mean, nearest, shown

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
FILE_KEY = "data.root=<its folder> data.file"
TEST_FILE_KEY = "data.root=<its folder> data.test_file"

log = logging.getLogger(__name__)


class Table(NamedTuple):
    """The cells of a table as text, without surrounding spaces.

    path: of its file; a table from memory has the path ``<table>``.
    lines: the line of the file at which each row starts, counted from 1, or the number of the row.
    decimal: of its numbers, ``point`` or ``comma``. unit: what ``lines`` counts, line or row.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    decimal: str = "point"
    unit: str = "line"

    def cells(self, name: str) -> list[str]:
        """Return the cells of a column."""
        position = self.header.index(name)
        return [row[position] for row in self.rows]

    def place(self, row: int, name: str) -> str:
        """Return the place of a cell for messages, ``people.csv, line 3, column age``."""
        return f"{shown(self.path)}, {self.unit} {self.lines[row]}, column {name}"

    def take(self, rows: Sequence[int]) -> "Table":
        """Return a table of some rows."""
        chosen, lines = [self.rows[row] for row in rows], [self.lines[row] for row in rows]
        return self._replace(rows=chosen, lines=lines)


def refuse_missing_file(path: Path, key: str = FILE_KEY) -> None:
    """Raise UserError if a table's file does not exist. key: what to type, before its name."""
    if not os.path.isfile(path):  # also false if its folder cannot be read
        files = [file.name for file in path.parent.glob("*") if file.is_file()]
        meant = did_you_mean(path.name, files)
        raise UserError(
            f"The table {shown(path)} does not exist{f'; {meant}' if meant else '.'}\n"
            f"Type {key}=<its name>"
        )


def read_table(path: Path, separator: str, decimal: str = "point", key: str = FILE_KEY) -> Table:
    """Read the header and the rows of a CSV file; empty lines are skipped.

    Cells may be quoted as in RFC 4180; the text is UTF-8, with or without a byte order mark.
    decimal: ``point`` or ``comma``, of its numbers. key: what a user types before the file's name.

    Raises UserError, with the line, for a missing file and for one that is not such a table.
    """
    refuse_missing_file(path, key)
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
    table = Table(path, rows[0], rows[1:], lines[1:], decimal)
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
    check_names(where, table.header)


def check_names(where: str, header: Sequence[str]) -> None:
    """Raise UserError for columns without a name, and for equal names. where: for the message."""
    for number, name in enumerate(header, start=1):
        if not name:
            raise UserError(f"{where}: column {number} has no name.\nGive it one")
        if header.index(name) != number - 1:
            first = header.index(name) + 1
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


def refuse_unknown_column(table: Table, name: str, key: str) -> None:
    """Raise UserError if a table has no column of a name. key: the config key that names it."""
    if name not in table.header:
        raise UserError(
            f"{key}: {shown(table.path)} has no column {name}; {nearest(name, table.header)}.\n"
            f"Type {key} with the name of a column"
        )


def column(table: Table, name: str, key: str) -> list[str]:
    """Return a column's cells; raises UserError for an unknown column and for empty cells.

    key: the config key that names the column, for the message.
    """
    refuse_unknown_column(table, name, key)
    cells = table.cells(name)
    for row, cell in enumerate(cells):
        if not cell:
            raise UserError(
                f"{table.place(row, name)}: the cell is empty.\n"
                f"Fill it, remove the row, or name other columns in {key}"
            )
    return cells
