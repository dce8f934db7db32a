"""Rank points."""

import math
from collections import Counter

from dlcourse.report.points import Point
from dlcourse.schema.comparable import data_of, loss_of


def rank(points: list[Point]) -> list[Point]:
    """Return the points with a finished run, the best mean of the monitored metric first.

    Points with missing runs are ranked below complete ones, and means that are not finite below
    the others. Equal points keep their order. The test metric is not used.
    """

    def place(point: Point) -> tuple[bool, bool, float]:
        mean = point.val.mean
        finite = math.isfinite(mean)
        return not point.complete, not finite, signed(point, mean) if finite else 0.0

    return sorted((point for point in points if point.repeats), key=place)


def signed(point: Point, value: float) -> float:
    """Return a value of the monitored metric, negated for ``max``, so that smaller is better."""
    return -value if point.mode == "max" else value


def by_measure(points: list[Point]) -> list[list[Point]]:
    """Group points by their measure: the monitor, and the loss function if it is a loss."""
    parts: dict[tuple, list[Point]] = {}
    for point in points:
        parts.setdefault((point.monitor, point.mode, loss_of(point.values)), []).append(point)
    return list(parts.values())


def by_data(points: list[Point]) -> list[list[Point]]:
    """Group points by their data; values on different data cannot be compared."""
    parts: dict[tuple, list[Point]] = {}
    for point in points:
        parts.setdefault(data_of(point.values), []).append(point)
    return list(parts.values())


def rank_by_data(points: list[Point]) -> list[Point]:
    """Return the points with a finished run, those on the same data together and ranked."""
    return [point for part in by_data(points) for point in rank(part)]


def ranks_of(points: list[Point]) -> list[int | None]:
    """Return every ranked point's rank among those on the same data; None if runs are missing."""
    number: Counter = Counter()
    found = []
    for point in points:
        number[data_of(point.values)] += 1
        found.append(number[data_of(point.values)] if point.complete else None)
    return found
