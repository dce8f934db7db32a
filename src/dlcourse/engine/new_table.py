"""Read a new table for a finished run: its columns become features as in training."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.encoding import Encoding, Unknown, encode
from dlcourse.data.parquet import read_parquet, table_of_rows
from dlcourse.data.table import Table, read_table
from dlcourse.data.table_targets import names_of_rows
from dlcourse.engine.stored_encoding import read_encoding
from dlcourse.errors import UserError, meant, shown

PARQUET = (".parquet", ".pq")  # the suffixes of Parquet files

log = logging.getLogger(__name__)


class NewRows(NamedTuple):
    """The rows of a new table for a run.

    inputs: (N, D) float64, with NaN for missing cells. ids: (N,), the names of the rows; called:
    the name of their column. incomplete: (N,), whether a row has a missing cell that the run cannot
    fill, so that it has no prediction.
    """

    inputs: Tensor
    ids: np.ndarray
    called: str
    incomplete: Tensor


def is_new_table(inputs: Any) -> bool:
    """Return whether inputs are a table: a file, a pandas DataFrame, or a list of dicts."""
    if isinstance(inputs, str | Path) or hasattr(inputs, "to_dict"):
        return True
    return isinstance(inputs, list) and bool(inputs) and isinstance(inputs[0], Mapping)


def new_rows(folder: Path, data: Mapping[str, Any], inputs: Any) -> NewRows:
    """Return the rows of a new table as a run's features.

    The columns are found by their names; others are ignored, the columns to predict too.

    folder: of the run, or of one fold. data: its options of ``data``. inputs: the path of a CSV or
    Parquet file, a pandas DataFrame, or a list of dicts.
    Raises UserError for a run on other data, for missing columns, and for cells that do not fit.
    """
    encoding = read_encoding(folder)
    if encoding is None:
        raise UserError(
            f"{folder} was not trained on a user's own table (data=csv or data=parquet).\n"
            "Give the run's inputs as an array, or name another run"
        )
    table = read_new_table(inputs, data)
    refuse_missing_columns(table, encoding)
    features = new_features(table, encoding)
    name = data.get("id")
    name = None if name is None or str(name) not in table.header else str(name)
    empty = np.zeros(len(features), bool) if encoding.fills else np.isnan(features).any(axis=1)
    if empty.any():
        log.warning(
            "%s: %s of %s rows have missing cells and get no prediction: the run was trained with "
            "data.missing=%s", shown(table.path), f"{int(empty.sum()):,}", f"{len(features):,}",
            encoding.missing,
        )  # fmt: skip
    return NewRows(
        torch.from_numpy(features), names_of_rows(table, name), name or table.unit,
        torch.from_numpy(empty),
    )  # fmt: skip


def read_new_table(inputs: Any, data: Mapping[str, Any]) -> Table:
    """Return a file, a pandas DataFrame or a list of dicts as a table.

    A CSV file is read with the separator and the decimal sign of the run's options ``data``.
    """
    if isinstance(inputs, str | Path):
        path = Path(inputs)
        if path.suffix.lower() in PARQUET:
            return read_parquet(path, "table")
        separator, decimal = data.get("separator", "comma"), data.get("decimal", "point")
        return read_table(path, separator, decimal, "table")
    rows = inputs.to_dict("records") if hasattr(inputs, "to_dict") else inputs
    return table_of_rows(rows)


def refuse_missing_columns(table: Table, encoding: Encoding) -> None:
    """Raise UserError that names all columns which the run needs and the table lacks."""
    missing = [column.name for column in encoding.columns if column.name not in table.header]
    if missing:
        others = [name for name in table.header if name not in encoding.features]
        close = sorted({name for one in missing for name in meant(one, others, 1)})
        question = f"; did you mean {' or '.join(close)}?" if close else "."
        raise UserError(
            f"{shown(table.path)} has no column {', '.join(missing)}, which the run was trained "
            f"on{question}\nIts columns are {listed_columns(table.header)}; the run needs "
            f"{listed_columns([column.name for column in encoding.columns])}"
        )


def listed_columns(names: Sequence[str]) -> str:
    """Return names as text, at most twenty of them."""
    return ", ".join(map(shown, names[:20])) + " ..." * (len(names) > 20)


def new_features(table: Table, encoding: Encoding) -> np.ndarray:
    """Return the features (N, D) of a table; unknown texts are reported in one warning."""
    unknown = Unknown()
    try:
        features = encode(encoding, table, unknown)
    except UserError as error:
        first = str(error).split("\n")[0]
        raise UserError(
            f"{first}\nCorrect the cell, or remove the row; the run was trained with "
            f"data.missing={encoding.missing}"
        ) from error
    if unknown.found:
        log.warning(
            "%s: texts that the run does not know, which count as none of the known ones: %s",
            shown(table.path), unknown.text(),
        )  # fmt: skip
    return features
