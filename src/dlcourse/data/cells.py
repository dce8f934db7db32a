"""Single cells of a table: numbers, dates, words for true and false, and missing values."""

import math
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

LARGEST = float(np.finfo(np.float32).max)
TRUTH_WORDS = {"true": ("false", "true"), "false": ("false", "true"),
         "yes": ("no", "yes"), "no": ("no", "yes")}  # fmt: skip
"""The pair, 0 first, that each word for true or false belongs to; in lower case."""
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].+)?")
OTHER_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:[T ].+)?")
NUMERIC = re.compile(r"[-+]?[\d.,' \u00a0\u202f]*\d[\d.,' \u00a0\u202f]*(?:[eE][-+]?\d+)?")
GROUPED = re.compile(r"[-+]?\d{1,3}(?:[.,' \u00a0\u202f]\d{3})+(?:[.,]\d+)?")
WHOLE_NUMBER_END = re.compile(r"(?<=\d)\.0*$")  # the end of a whole number written as 2.0
EPOCH = datetime(1970, 1, 1)
DAY = 86_400.0  # seconds


def with_point(cell: str, decimal: str) -> str:
    """Return a number's cell with a decimal point; a point in a cell of ``comma`` makes it empty.

    decimal: ``point`` or ``comma``.
    """
    if decimal == "point":
        return cell
    return "" if "." in cell else cell.replace(",", ".")


def is_number(cell: str, decimal: str = "point") -> bool:
    """Return whether a cell is a number in the range of float32, such as 3, -0.5 or 1e6."""
    try:
        value = float(with_point(cell, decimal))
    except ValueError:
        return False
    return math.isfinite(value) and abs(value) <= LARGEST and "_" not in cell


def number_of(cell: str, decimal: str) -> float:
    """Return the number in a cell that ``is_number``."""
    return float(with_point(cell, decimal))


def numbers_in_cells(
    cells: Sequence[str], gaps: Collection[str], decimal: str
) -> np.ndarray | None:
    """Return the numbers (N,) in cells, NaN for those in ``gaps``; None if others are no numbers.

    All of them are checked at once, which is faster than ``is_number`` for each.
    """
    texts = ["nan" if cell in gaps else cell for cell in cells] if gaps else list(cells)
    if decimal == "comma":
        texts = [with_point(cell, decimal) for cell in texts]
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return None
    others = len(values) - int((np.abs(values) <= LARGEST).sum())  # NaN, infinite, too large
    known = sum(cell in gaps for cell in cells) if gaps else 0
    return values if others == known and "_" not in "".join(texts) else None


def date_of(cell: str, style: str) -> datetime | None:
    """Return the date in a cell without a time zone, or None if there is none.

    A time with a zone is converted to UTC. style: a format of ``strptime``; "" for ISO 8601,
    2024-03-31 or 2024-03-31T18:30.
    """
    try:
        if style:
            found = datetime.strptime(cell, style)
        else:
            found = datetime.fromisoformat(cell) if ISO_DATE.fullmatch(cell) else None
    except ValueError:
        return None
    if found is None or found.tzinfo is None:
        return found
    return found.astimezone(UTC).replace(tzinfo=None)


def days_of(date: datetime) -> float:
    """Return the days from 1970-01-01 to a date, with the time as a fraction."""
    return (date - EPOCH).total_seconds() / DAY


def is_missing(cell: str, words: Collection[str]) -> bool:
    """Return whether a cell is empty or one of ``words``, which are in lower case."""
    return not cell or cell.casefold() in words


def missing_among(cells: Iterable[str], words: Collection[str]) -> set[str]:
    """Return the different texts among cells that count as missing."""
    longest = max(map(len, words), default=0)
    short = {cell for cell in cells if len(cell) <= longest}
    return {cell for cell in short if is_missing(cell, words)}


def why_no_number(cell: str, decimal: str) -> str:
    """Return what to do about a cell that is no number, in one or two sentences."""
    other = {"point": "comma", "comma": "point"}[decimal]
    if OTHER_DATE.fullmatch(cell):
        return (
            "If it is a date, type data.date_format with its format, such as "
            "data.date_format=%d.%m.%Y"
        )
    if is_number(cell, other):
        return f"If all numbers are written like this, type data.decimal={other}"
    if GROUPED.fullmatch(cell):
        return "Remove the thousands separators"
    return "Correct the cell"


def truth_in(cell: str) -> int | None:
    """Return 1 for a cell such as 1, true or yes, 0 for one such as 0, false or no, else None."""
    pair = TRUTH_WORDS.get(cell.lower())
    if pair is not None:
        return pair.index(cell.lower())
    return int(float(cell)) if is_number(cell) and float(cell) in (0, 1) else None


def cell_text(cell: str) -> str:
    """Return a cell as one of several texts; the whole number 2.0 is 2."""
    return WHOLE_NUMBER_END.sub("", cell) if is_number(cell) else cell
