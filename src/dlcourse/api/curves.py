"""Learning curves as small SVG images that are readable on light and on dark pages."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from dlcourse.drawing.scales import ticks

PLOT_WIDTH, HEIGHT = 340, 210
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 26, 34  # pixels around the axes
SPLIT_COLOURS = {"train": "#e07b00", "val": "#3987d6"}  # of middle lightness


class Curve(NamedTuple):
    """One curve of a plot: a metric over the epochs.

    split: ``train`` or ``val``. values: ``[(epoch, value), ...]``.
    """

    split: str
    values: Sequence[tuple[float, float]]


def plot(title: str, curves: Sequence[Curve], best: Sequence[int] = ()) -> str:
    """Return an SVG image of curves over epochs; an empty text if they have no points.

    Text and axes have the page's text colour. best: epochs to mark with a dashed line.
    """
    points = [point for curve in curves for point in curve.values]
    if not points:
        return ""
    epochs, values = zip(*points, strict=True)
    x_ticks = ticks(min(epochs), max(epochs), 6, whole=True)
    y_ticks = ticks(min(values), max(values), 5)
    low, high = min(y_ticks[0], *values), max(y_ticks[-1], *values)
    first, last = min(epochs), max(epochs)

    def x(epoch: float) -> float:
        share = (epoch - first) / (last - first) if last > first else 0.5
        return LEFT + share * (PLOT_WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    floor = HEIGHT - BOTTOM
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{PLOT_WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {PLOT_WIDTH} {HEIGHT}" role="img" font-family="sans-serif" font-size="11" '
        f'fill="currentColor"><title>{escape(title)} by epoch</title>',
        f'<text x="{LEFT}" y="15" font-size="12" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in y_ticks:
        drawn += [
            line(LEFT, y(tick), PLOT_WIDTH - RIGHT, y(tick), "opacity='0.15'"),
            f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>',
        ]
    for tick in x_ticks:
        drawn.append(
            f'<text x="{x(tick):.1f}" y="{floor + 15}" text-anchor="middle">{tick:g}</text>'
        )
    drawn.append(line(LEFT, floor, PLOT_WIDTH - RIGHT, floor, "opacity='0.6'"))
    middle = (LEFT + PLOT_WIDTH - RIGHT) / 2
    drawn.append(f'<text x="{middle:.0f}" y="{floor + 30}" text-anchor="middle">epoch</text>')
    for epoch in best:
        style = "opacity='0.5' stroke-dasharray='3 3'"
        drawn.append(line(x(epoch), TOP, x(epoch), floor, style))
    for curve in curves:
        drawn.append(drawn_curve(curve, [(x(e), y(v)) for e, v in curve.values]))
    splits = list(dict.fromkeys(curve.split for curve in curves))
    for number, split in enumerate(splits):
        right = PLOT_WIDTH - RIGHT - 48 * (len(splits) - 1 - number)
        drawn.append(
            f'<text x="{right}" y="15" text-anchor="end" fill="{SPLIT_COLOURS[split]}">'
            f"&#9644; {split}</text>"
        )
    return "".join([*drawn, "</svg>"])


def drawn_curve(curve: Curve, points: Sequence[tuple[float, float]]) -> str:
    """Return an SVG line through points (x, y) in pixels; a dot for a single point."""
    colour = SPLIT_COLOURS[curve.split]
    if len(points) == 1:
        (x, y) = points[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>'


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return an SVG line between two points, in pixels, in the page's text colour."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" '
        f"{style}/>"
    )


def series(rows: Sequence[Mapping[str, float | None]], key: str) -> list[tuple[float, float]]:
    """Return (epoch, value) of a metric for each epoch of a history in which it is finite."""
    points = ((row["epoch"], row.get(key)) for row in rows)
    return [
        (epoch, value)
        for epoch, value in points
        if epoch is not None and value is not None and math.isfinite(value)
    ]
