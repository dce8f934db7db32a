"""Heat map of two keys."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dlcourse.drawing.style import empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, value_label
from dlcourse.report.confidence import estimate
from dlcourse.report.formatting import number_text, option_text
from dlcourse.report.plots.axes import scale_x
from dlcourse.report.plots.levels import Scale, around_base, scale_of, scales
from dlcourse.report.points import Point
from dlcourse.report.ranking import by_data

MAX_CELLS = 15  # cells along a side


def draw_heat_map(
    points: Sequence[Point], keys: Sequence[str], lost: Sequence[Point] = ()
) -> Figure | None:
    """Draw the mean metric for each pair of values of the two keys with the largest effects.

    Bright is good; the best cell has a frame. Two keys whose numbers were drawn at random become a
    scatter plot. Returns None if fewer than two keys vary, if no point differs from the base in two
    keys, or if most cells would be empty. lost: points whose training diverged; a cell with only
    such points says "diverged".
    """
    if any(len(around_base(points, key, keys)) < len(points) for key in keys):
        return None
    two = [scale_of(points, scale.key) for scale in scales(points, keys)[:2]]
    if len(two) < 2:
        return None
    if all(scale.drawn for scale in two):
        return draw_scatter(points, *two)
    down, across = sorted(two, key=lambda scale: len(scale.levels))
    if len(across.levels) > MAX_CELLS:
        return None
    columns = [set(map(id, column.points)) for column in across.levels]
    table = [
        [cell([p for p in row.points if id(p) in inside]) for inside in columns]
        for row in down.levels
    ]
    filled = [mean for row in table for mean in row if not math.isnan(mean)]
    sparse = 2 * len(filled) < len(down.levels) * len(across.levels)
    if sparse:
        return None
    return draw_cells(points[0], table, down, across, lost, best=len(by_data(list(points))) == 1)


def cell(points: Sequence[Point]) -> float:
    """Return the mean of the points in a cell, NaN in an empty one."""
    return estimate([point.val.mean for point in points]).mean


def draw_cells(
    point: Point,
    table: list[list[float]],
    down: Scale,
    across: Scale,
    lost: Sequence[Point],
    *,
    best: bool,
) -> Figure:
    """Draw a table of values as coloured cells with the values in them, the best one framed.

    best: whether there is a best cell, because all values can be compared.
    """
    size = 2.4 + 0.85 * len(across.levels), 1.5 + 0.6 * len(down.levels)
    figure = empty_figure(max(5, size[0]), max(3, size[1]))
    axes = figure.add_subplot()
    axes.set_xlabel(value_label(across.key), **LITERAL)
    axes.set_ylabel(value_label(down.key), **LITERAL)
    axes.set_facecolor("#eceef0")
    colours = "viridis_r" if point.mode == "min" else "viridis"
    plot = axes.imshow(table, cmap=colours, aspect="auto")
    figure.colorbar(plot, label=point.monitor)
    names = [value_label(level.name) for level in across.levels]
    axes.set_xticks(range(len(names)), names, **LITERAL)
    rows = [value_label(level.name) for level in down.levels]
    axes.set_yticks(range(len(rows)), rows, **LITERAL)
    if sum(map(len, names)) > 9 * len(names):
        axes.tick_params(axis="x", rotation=30)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    gone = {(option_text(one, down.key), option_text(one, across.key)) for one in lost}
    cells = [(x, y, mean) for y, row in enumerate(table) for x, mean in enumerate(row)]
    for x, y, mean in cells:
        light = not math.isnan(mean) and sum(plot.to_rgba(np.array(mean))[:3]) > 1.4
        text = number_text(mean)
        if math.isnan(mean):
            text = "diverged" if (down.levels[y].name, across.levels[x].name) in gone else "–"
        dark = light or math.isnan(mean)
        axes.text(x, y, text, ha="center", va="center", color="black" if dark else "white")
    missing = [
        f"{scale.key}={name}"
        for scale in (down, across)
        for name in dict.fromkeys(option_text(one, scale.key) for one in lost)
        if name not in {level.name for level in scale.levels}
    ]
    if missing:
        title = f"all diverged: {value_label(', '.join(missing), 60)}"
        axes.set_title(title, loc="left", fontsize="medium", **LITERAL)
    if best:
        choose = min if point.mode == "min" else max
        x, y, _ = choose((c for c in cells if not math.isnan(c[2])), key=lambda c: c[2])
        look = {"fill": False, "color": "#bd1f01", "linewidth": 2.5, "zorder": 3}
        axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, **look))
    return figure


def draw_scatter(points: Sequence[Point], first: Scale, second: Scale) -> Figure:
    """Draw every point at its two numbers, coloured by its mean metric."""
    figure = empty_figure(6, 4.4)
    axes = figure.add_subplot()
    scale_x(axes, first)
    axes.set_ylabel(value_label(second.key), **LITERAL)
    axes.set_yscale("log" if second.log else "linear")
    height = {id(point): second.at(level) for level in second.levels for point in level.points}
    dots = [
        (first.at(level), height[id(point)], point.val.mean)
        for level in first.levels
        for point in level.points
        if id(point) in height
    ]
    along, up, means = zip(*dots, strict=True)
    colours = "viridis_r" if points[0].mode == "min" else "viridis"
    look = {"s": 46, "edgecolors": "#717581", "linewidths": 0.5}
    plot = axes.scatter(along, up, c=means, cmap=colours, **look)
    figure.colorbar(plot, label=points[0].monitor)
    style_axes(axes)
    return figure
