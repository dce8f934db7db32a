"""Plot of the main effect of each key."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, empty_figure, style_axes
from dlcourse.report.confidence import MIN_REPEATS
from dlcourse.report.plots.axes import DOT, draw_repeats, mark_diverged, scale_x, scale_y
from dlcourse.report.plots.levels import Scale, scales
from dlcourse.report.points import Point

PANELS = 12
ACROSS = 3


def draw_main_effects(
    points: Sequence[Point], keys: Sequence[str], lost: Sequence[Point] = ()
) -> Figure | None:
    """Draw a panel with the mean of each value for every key, the largest effect first.

    The mean is over all points with the value, its interval over their repeats; grey dots are the
    points. With two or three repeats, each is a small dot and there is no interval. Numbers drawn
    at random have no means, only the points. lost: points whose training diverged.
    """
    found = scales(points, keys)[:PANELS]
    if not found:
        return None
    across = min(ACROSS, len(found))
    down = -(-len(found) // across)
    figure = empty_figure(max(4.6, 3.6 * across), 3.3 * down + 0.3)
    grid = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, scale in zip(grid, found, strict=False):
        draw_panel(axes, scale, lost)
    for axes in grid[len(found) :]:
        axes.remove()
    scale_y(figure.axes[0], points)
    figure.supylabel(points[0].monitor, fontsize="medium")
    known = any(level.spread.low is not None for scale in found for level in scale.levels)
    few = any(2 <= level.spread.n < MIN_REPEATS for scale in found for level in scale.levels)
    title = ["mean of each value with its 95 % interval" if known else "mean of each value"]
    title += ["grey: points", *(["small: repeats"] if few else [])]
    if lost:
        title.append(f"x: {len(lost)} diverged")
    figure.suptitle("; ".join(title), x=0.01, ha="left", fontsize="medium")
    return figure


def draw_panel(axes: Axes, scale: Scale, lost: Sequence[Point]) -> None:
    """Draw one key's values."""
    scale_x(axes, scale, lost)
    dots = [(scale.at(level), p.val.mean) for level in scale.levels for p in level.points]
    colour = COLOURS[0] if scale.drawn else DOT
    axes.scatter(*zip(*dots, strict=True), s=18, color=colour, linewidths=0, zorder=2)
    if not scale.drawn:
        places = [scale.at(level) for level in scale.levels]
        means = [level.spread.mean for level in scale.levels]
        ends = [(level.spread.low, level.spread.high) for level in scale.levels]
        reach = [
            [
                math.nan if end is None else abs(end - mean)
                for end, mean in zip(side, means, strict=True)
            ]
            for side in zip(*ends, strict=True)
        ]
        axes.errorbar(
            places, means, yerr=reach, fmt="o-" if scale.numeric else "o", capsize=4,
            color=COLOURS[0], markersize=6, zorder=3,
        )  # fmt: skip
        spreads = [level.spread for level in scale.levels]
        draw_repeats(axes, list(zip(places, spreads, strict=True)), COLOURS[0])
    if lost:
        mark_diverged(axes, scale, lost, lost[0].mode, "black")
    style_axes(axes)
