"""Format metrics and option values for tables and sentences."""

import math
from typing import Any

from dlcourse import atomic_files
from dlcourse.report.confidence import Estimate
from dlcourse.report.points import Point
from dlcourse.schema.validate import GROUPS

NOTHING = "–"


def number_text(value: float | None, like: float | None = None) -> str:
    """Format a value with about four significant digits; ``like``: with the digits of another."""
    if value is None:
        return NOTHING
    size = abs(value if like is None else like)
    if not math.isfinite(size) or not math.isfinite(value):
        return str(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.3g}"
    return f"{value:.{4 if size < 100 else 2 if size < 10_000 else 0}f}"


def mean_and_deviation(spread: Estimate | None) -> str:
    """Format as ``0.9755 ± 0.0041``; a single repeat as its value."""
    if spread is None:
        return NOTHING
    if spread.std is None:
        return number_text(spread.mean)
    return f"{number_text(spread.mean)} ± {number_text(spread.std, spread.mean)}"


def interval(spread: Estimate) -> str:
    """Format as ``0.9690 to 0.9820``; two or three repeats as values, ``0.9690, 0.9700``."""
    if spread.low is not None:
        return f"{number_text(spread.low, spread.mean)} to {number_text(spread.high, spread.mean)}"
    if spread.std is None:
        return NOTHING
    return ", ".join(number_text(value, spread.mean) for value in spread.values)


def value_text(value: Any) -> str:
    """Format an option's value as it is typed: ``null``, ``true``, ``0.1``, ``[0.9, 0.999]``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict) or value is None:
        return atomic_files.to_json(value, default=str, ensure_ascii=False)
    return str(value)


def option_text(point: Point, key: str) -> str:
    """Format the value of a key in a point; empty if it has no such key."""
    return value_text(point.values[key]) if key in point.values else ""


def point_text(point: Point, keys: list[str]) -> str:
    """Format a point as overrides, ``model=mlp optim.lr=0.1``."""
    typed = [f"{key}={option_text(point, key)}" for key in keys if key in point.values]
    return " ".join(typed) or "the only point"


def short_point_text(point: Point, keys: list[str] | tuple[str, ...]) -> str:
    """Format a point for a label, ``lenet adam lr=0.1``: groups by their choice alone."""
    parts = [
        option_text(point, key)
        if key in GROUPS
        else f"{key.rpartition('.')[2]}={option_text(point, key)}"
        for key in keys
        if key in point.values
    ]
    return " ".join(parts) or "the only point"


def finite_number(value: Any) -> float | None:
    """Return an option's value as a number, or None if it is not a finite number."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
