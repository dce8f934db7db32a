"""The axes of a report's charts: positions of epochs and values in an SVG image."""

import math
from collections.abc import Callable, Sequence
from typing import Any

CHART_WIDTH, CHART_HEIGHT = 960, 430  # of the image, in its own units
LEFT_EDGE, RIGHT_SPACE, TOP_EDGE, BOTTOM_SPACE = 64, 250, 14, 46  # around the axes
MAX_EPOCHS = 150  # epochs that are drawn; of more, every second, third ...
Axis = Callable[[float], float]


def x_axis(first: float, last: float) -> Axis:
    """Return the function from an epoch to its position."""
    span = last - first or 1
    return lambda epoch: round(
        LEFT_EDGE + (epoch - first) / span * (CHART_WIDTH - LEFT_EDGE - RIGHT_SPACE), 1
    )


def y_axis(low: float, high: float, log: bool) -> Axis:
    """Return the function from a value to its position; values outside are at the edge."""
    scale = math.log if log else float
    bottom, top = scale(low), scale(high)

    def at(value: float) -> float:
        part = (scale(max(value, low) if log else value) - bottom) / (top - bottom or 1)
        return round(
            TOP_EDGE + (1 - min(max(part, 0.0), 1.0)) * (CHART_HEIGHT - TOP_EDGE - BOTTOM_SPACE), 1
        )

    return at


def height_share(y: float) -> float:
    """Return a vertical position as a share of the height of the axes, from the top."""
    return (y - TOP_EDGE) / (CHART_HEIGHT - TOP_EDGE - BOTTOM_SPACE)


def path_of(points: Sequence[tuple[float, float]]) -> str:
    """Return an SVG path through points; empty for fewer than two."""
    if len(points) < 2:
        return ""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def kept(some: Sequence[Any]) -> list[int]:
    """Return the indices of the epochs that are drawn, the last one among them."""
    if len(some) <= MAX_EPOCHS:
        return list(range(len(some)))
    step = -(-len(some) // MAX_EPOCHS)
    return sorted({*range(0, len(some), step), len(some) - 1})
