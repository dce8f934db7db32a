"""Find columns whose numbers a floating-point type rounds visibly."""

import logging
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from dlcourse.data.cells import is_missing, is_number, with_point
from dlcourse.data.table import Table
from dlcourse.errors import shown

VISIBLE = 1e-3  # share of a column's standard deviation: smaller rounding errors do not matter

log = logging.getLogger(__name__)


def loses_digits(features: np.ndarray) -> bool:
    """Return whether 32-bit floats round a column of features (N, D) visibly."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.nan_to_num(np.abs(features - features.astype(np.float32)))
    known = ~np.isnan(features)
    count = np.maximum(known.sum(0), 1)
    center = np.where(known, features, 0).sum(0) / count
    spread = np.sqrt(np.where(known, features - center, 0).__pow__(2).sum(0) / count)
    return bool((error.max(0, initial=0) > VISIBLE * spread).any())


def report_lost_digits(table: Table, names: Sequence[str], bits: int) -> None:
    """Log a warning that names the columns that floats of 32 or 64 bits round visibly."""
    found = [(name, lost_digits(table, name, bits)) for name in names]
    lost = ", ".join(f"{name} ({example})" for name, example in found if example)
    if lost:
        log.warning(
            "%s: columns lose digits as %d-bit floats: %s; subtract a constant from the column, "
            "or name others in data.features", shown(table.path), bits, lost,
        )  # fmt: skip


def lost_digits(table: Table, name: str, bits: int) -> str:
    """Return an example of a cell that loses digits as a float of 32 or 64 bits, or "".

    A rounding error counts if it exceeds 0.001 of the column's standard deviation, as with whole
    numbers above 16,777,216 that differ by one and 32 bits. Other cells than numbers are left out.
    """
    written = table.cells(name)
    rows = [
        row
        for row, cell in enumerate(written)
        if not is_missing(cell, ()) and is_number(cell, table.decimal)
    ]
    cells = [with_point(written[row], table.decimal) for row in rows]
    values = np.array(cells, dtype=np.float64)
    if not len(values) or (bits == 64 and np.abs(values).max() <= 2**53):
        return ""
    rounded = values.astype(np.float32).astype(np.float64) if bits == 32 else values
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
    text = f"{becomes:.0f}" if becomes.is_integer() else f"{becomes:.17g}"
    return f"{table.unit} {table.lines[rows[worst]]}: {written[rows[worst]]} is read as {text}"
