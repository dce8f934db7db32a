"""A user's own table in a Parquet file."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dlcourse.core import Dataset
from dlcourse.data.encoding import Encoding
from dlcourse.data.table import FILE_KEY, TEST_FILE_KEY, Table, check_names, refuse_missing_file
from dlcourse.data.table_dataset import table_dataset
from dlcourse.data.table_options import table_options
from dlcourse.errors import UserError, shown
from dlcourse.terminal.extras import require

EXACT = 2**53  # below it every whole number is a float64


def parquet(
    encoding: Encoding | None = None,
    *,
    root: Path,
    seed: int,
    file: str,
    test_file: str | None,
    target: str | int | Sequence[str | int],
    features: Sequence[str | int] | None,
    exclude: Sequence[str | int],
    group: str | int | None,
    weight: str | int | None,
    id: str | int | None,
    task: str,
    text: str,
    one_hot: Sequence[str | int],
    ordinal: Mapping[str, Sequence[str | int]] | None,
    most_values: int,
    date_format: str | None,
    date_parts: Sequence[str],
    missing: str,
    missing_values: Sequence[str | int],
    numbers: str,
    test_fraction: float,
) -> Dataset:
    """Return the rows of a Parquet file as a data set; see ``table_dataset``.

    file: in ``root``. test_file: one with the test rows; None for a share of the rows of ``file``.
    encoding: of the run that is evaluated on this table; None learns one from the training rows.
    The others are explained at ``TableOptions``.

    Raises UserError, with the row and the column, for an invalid table or invalid options.
    """
    options = table_options(
        target=target, features=features, exclude=exclude, group=group, weight=weight, id=id,
        task=task, text=text, one_hot=one_hot, ordinal=ordinal, most_values=most_values,
        date_format=date_format, date_parts=date_parts, missing=missing,
        missing_values=missing_values, numbers=numbers, test_fraction=test_fraction,
    )  # fmt: skip
    table = read_parquet(root / file)
    test = None if test_file is None else read_parquet(root / test_file, TEST_FILE_KEY)
    return table_dataset(table, test, options, seed, encoding)


def read_parquet(path: Path, key: str = FILE_KEY) -> Table:
    """Read a Parquet file; raises UserError if it is missing or damaged.

    key: what a user types before the file's name.
    """
    refuse_missing_file(path, key)
    parquet = require("pyarrow.parquet", "A Parquet file")
    arrow = require("pyarrow", "A Parquet file")
    try:
        columns = parquet.read_table(path)
        values = [column.to_pylist() for column in columns.columns]
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{shown(path)} cannot be read as Parquet: {reason}\nWrite the file again, or type "
            "data=csv for a CSV file"
        ) from error
    return table_of_values(path, columns.column_names, values)


def table_of_rows(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return a table of dicts with the columns' names; a key that a row lacks is a missing cell."""
    rows = list(rows)
    header = list(dict.fromkeys(name for row in rows for name in row))
    values = [[row.get(name) for row in rows] for name in header]
    return table_of_values(Path("<table>"), header, values)


def table_of_values(path: Path, header: list[str], columns: list[list]) -> Table:
    """Return columns of Python values as a table of text; raises UserError for an empty one."""
    header = [str(name).strip() for name in header]
    if not columns or not columns[0]:
        raise UserError(f"{shown(path)} has no rows.\nAdd rows, one for each example")
    check_names(f"{shown(path)}", header)
    cells = [[cell_of(value) for value in values] for values in columns]
    rows = [list(row) for row in zip(*cells, strict=True)]
    return Table(path, header, rows, list(range(1, len(rows) + 1)), unit="row")


def cell_of(value: Any) -> str:
    """Return a Python value, or one of NumPy or pandas, as the text of a cell, "" if missing."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # of pandas
        return ""
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        whole = value.is_integer() and abs(value) < EXACT
        return f"{value:.0f}" if whole else repr(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value).strip()
