"""The order of points."""

import math

from dlcourse.report.points import Point


def rank(points: list[Point]) -> list[Point]:
    """Return the points with a finished run, the best mean validation figure first.

    Points that lack runs stand below the complete ones, figures that are not finite below the
    others. Equal points keep their order. The test figure is never looked at.
    """

    def place(point: Point) -> tuple[bool, bool, float]:
        mean = point.val.mean
        finite = math.isfinite(mean)
        return not point.complete, not finite, signed(point, mean) if finite else 0.0

    return sorted((point for point in points if point.repeats), key=place)


def signed(point: Point, figure: float) -> float:
    """Return a monitored figure so that less is better."""
    return -figure if point.mode == "max" else figure


def by_monitor(points: list[Point]) -> list[list[Point]]:
    """Part points by the figure that decides; those with another one cannot be compared."""
    parts: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        parts.setdefault((point.monitor, point.mode), []).append(point)
    return list(parts.values())
