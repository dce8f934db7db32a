"""The plots of a race: the paths over the surface, and the loss over the steps."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from dlcourse.drawing.style import MUTED, empty_figure, line_look, style_axes
from dlcourse.drawing.text import LITERAL, add_legend, shortened, value_label
from dlcourse.race.outcome import PathOutcome
from dlcourse.race.surfaces import PlotWindow, Surface

Grid = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x, y and the values, of ``race.grid.grid_of``."""

PATH_MARKERS = "osDv^<>pPXh8dH*."
GROUND = LinearSegmentedColormap.from_list("ground", ["#c3cdd9", "#f7f8fa"])
"""The colours of a surface: pale, so that paths stand out; its lowest part is the darkest."""

CONTOUR_LEVELS = 18
SPAN = 1e-5  # the lowest level, of the highest one
FLOOR = 1e-30  # losses below it, and those of 0, are not drawn
DEPTH = 1e-5  # the lowest loss that is in view, of the threshold
LONGEST_LABEL = 34  # characters


def draw_paths(
    surface: Surface, grid: Grid, lowest: float, outcomes: Sequence[PathOutcome], title: str
) -> Figure:
    """Draw the paths of all racers over the surface, with markers at equal numbers of steps."""
    figure = empty_figure(9.0, max(5.4, LINE_HEIGHT * len(outcomes)))
    axes = figure.subplots()
    draw_surface(axes, surface, grid, lowest)
    every = marker_interval(max(len(one.excess) for one in outcomes) - 1)
    lines = []
    for number, one in enumerate(outcomes):
        path = drawn_path(one, surface.window)
        (line,) = axes.plot(*path.T, markevery=every, zorder=4 + number / 100, **look_of(number))
        lines.append(line)
        if one.trajectory.diverged:
            axes.plot(*path[-1], "X", color=line.get_color(), markersize=11,
                      markeredgecolor="black", zorder=6, clip_on=False)  # fmt: skip
    draw_start(axes, outcomes[0].trajectory.positions[0])
    what = "a marker each step" if every == 1 else f"a marker every {every:,} steps"
    axes.set_title(f"{title}\n{value_label(surface.formula, 90)}", size=11, loc="left", **LITERAL)
    axes.set_xlabel(f"x     ({what}; white circle: start, star: minimum)")
    add_legend(figure, [*zip(lines, map(label_of, outcomes), strict=True)], loc=OUTSIDE, **LEGEND)
    return figure


OUTSIDE = "outside right upper"
LEGEND: dict[str, Any] = {"fontsize": 9, "frameon": False, "handlelength": 3, "labelspacing": 0.6}
LINE_HEIGHT = 0.375  # inches of an entry of the legend


def draw_surface(axes: Axes, surface: Surface, grid: Grid, lowest: float) -> None:
    """Draw the contour lines of a surface, at log-spaced heights above the lowest value."""
    x, y, values = grid
    height = np.where(np.isfinite(values), values - lowest, np.nan)
    top = float(np.nanmax(height))
    levels = level_heights(top, float(np.nanmin(height)))
    norm = LogNorm(levels[0], levels[-1])
    height = np.clip(height, levels[0], None)
    axes.contourf(x, y, height, levels=levels, norm=norm, cmap=GROUND, extend="both")
    axes.contour(x, y, height, levels=levels, colors="#9aa7b5", linewidths=0.6)
    for minimum in surface.minima:
        axes.plot(*minimum, "*", color="black", markersize=11, markeredgecolor="white", zorder=7)
    left, right, bottom, upper = surface.window
    axes.set(xlim=(left, right), ylim=(bottom, upper), xlabel="x", ylabel="y")


def level_heights(top: float, bottom: float) -> np.ndarray:
    """Return the log-spaced heights of contour lines, ascending; flat surfaces have two."""
    if not top > 0:
        return np.array([1e-12, 1e-11])
    return np.geomspace(max(bottom, top * SPAN) or top * SPAN, top, CONTOUR_LEVELS)


def draw_start(axes: Axes, start: tuple[float, float]) -> None:
    """Draw the start as a white circle."""
    axes.plot(*start, "o", color="white", markeredgecolor="black", markersize=8, zorder=7)


def look_of(number: int) -> dict[str, Any]:
    """Return the look of the racer with this number: colour, dash and marker."""
    return line_look(number) | {
        "marker": PATH_MARKERS[number % len(PATH_MARKERS)], "markersize": 5, "linewidth": 1.8,
        "markeredgecolor": "white", "markeredgewidth": 0.5,
    }  # fmt: skip


def marker_interval(steps: int) -> int:
    """Return 1, 2 or 5 times a power of ten, so that a path has 10 to 25 markers."""
    rough = max(1.0, steps / 25)
    power = 10 ** math.floor(math.log10(rough))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough))


def label_of(one: PathOutcome) -> str:
    """Return a racer's label in the legend: its name, its rate and how it ended."""
    ended = {
        "arrived": f"{one.arrived} steps, ",
        "not yet": "not yet, ",
        "no minimum": "",
        "diverged": f"diverged after {len(one.excess) - 1:,} steps (cross)",
    }[one.state]
    loss = "" if one.trajectory.diverged else f"final loss {one.excess[-1]:.0e}"
    return f"{shortened(one.racer.label_with_rate, LONGEST_LABEL)}\n{ended}{loss}"


def drawn_path(one: PathOutcome, window: PlotWindow) -> np.ndarray:
    """Return a racer's positions (steps, 2); if it diverged, only up to the edge of the window."""
    path = np.array(one.trajectory.positions)
    if not one.trajectory.diverged or one.left is None:
        return path
    inside, outside = path[one.left - 1], path[one.left]
    return np.vstack([path[: one.left], edge_point(inside, outside, window)])


def edge_point(inside: np.ndarray, outside: np.ndarray, window: PlotWindow) -> np.ndarray:
    """Return where the line from a position (2,) inside to one outside crosses the edge."""
    left, right, bottom, top = window
    move = outside - inside
    room = np.where(move > 0, np.array([right, top]), np.array([left, bottom])) - inside
    share = min((r / m for r, m in zip(room, move, strict=True) if m != 0), default=0.0)
    return inside + share * move


def draw_race_losses(outcomes: Sequence[PathOutcome], reach: float, title: str) -> Figure:
    """Draw the loss of all racers over the steps, with a line at the threshold."""
    figure = empty_figure(9.0, max(4.6, LINE_HEIGHT * len(outcomes)))
    axes = figure.subplots()
    lines = loss_lines(axes, outcomes, reach)
    axes.set_title(title, size=11, loc="left", **LITERAL)
    add_legend(figure, [*zip(lines, map(label_of, outcomes), strict=True)], loc=OUTSIDE, **LEGEND)
    return figure


def loss_lines(axes: Axes, outcomes: Sequence[PathOutcome], reach: float) -> list[Any]:
    """Draw the losses into axes with a log scale; return the lines."""
    steps = max(len(one.excess) for one in outcomes) - 1
    every = marker_interval(steps)
    drawn = [np.where(np.array(one.excess) > FLOOR, one.excess, np.nan) for one in outcomes]
    lines = [
        axes.plot(np.arange(len(loss)), loss, markevery=every, **look_of(number))[0]
        for number, loss in enumerate(drawn)
    ]
    axes.set_yscale("log")
    first = max(outcomes[0].excess[0], FLOOR)
    lowest = min((float(np.nanmin(loss)) for loss in drawn if np.isfinite(loss).any()), default=1)
    low = min(max(lowest, DEPTH * reach), reach) / 2
    axes.set(xlim=(0, max(steps, 1)), ylim=(low, 20 * max(first, reach)))
    axes.set(xlabel="step", ylabel="loss above the lowest value")
    axes.axhline(reach, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    axes.yaxis.set_minor_locator(NullLocator())
    style_axes(axes)
    return lines
