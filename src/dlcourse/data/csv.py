"""A user's own table in a CSV file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dlcourse.core import Dataset
from dlcourse.data.encoding import Encoding
from dlcourse.data.table import TEST_FILE_KEY, read_table
from dlcourse.data.table_dataset import table_dataset
from dlcourse.data.table_options import table_options


def csv(
    encoding: Encoding | None = None,
    *,
    root: Path,
    seed: int,
    file: str,
    test_file: str | None,
    separator: str,
    decimal: str,
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
    """Return the rows of a CSV file as a data set; see ``table_dataset``.

    file: in ``root``; its first line names the columns. test_file: one with the test rows; None for
    a share of the rows of ``file``.
    separator: between the cells, ``comma``, ``semicolon``, ``tab`` or ``space``.
    decimal: of numbers, ``point`` or ``comma``.
    encoding: of the run that is evaluated on this table; None learns one from the training rows.
    The others are explained at ``TableOptions``.

    Raises UserError, with the line and the column, for an invalid table or invalid options.
    """
    options = table_options(
        target=target, features=features, exclude=exclude, group=group, weight=weight, id=id,
        task=task, text=text, one_hot=one_hot, ordinal=ordinal, most_values=most_values,
        date_format=date_format, date_parts=date_parts, missing=missing,
        missing_values=missing_values, numbers=numbers, test_fraction=test_fraction,
    )  # fmt: skip
    table = read_table(root / file, separator, decimal)
    test = None
    if test_file is not None:
        test = read_table(root / test_file, separator, decimal, TEST_FILE_KEY)
    return table_dataset(table, test, options, seed, encoding)
