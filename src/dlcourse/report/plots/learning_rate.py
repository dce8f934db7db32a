"""Plot of the metric over the learning rate, for each value of another key."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, DASHES, empty_figure, style_axes
from dlcourse.drawing.text import add_legend, value_label
from dlcourse.report.formatting import option_text
from dlcourse.report.plots.axes import (
    MARKERS,
    draw_repeats,
    mark_diverged,
    places_of,
    scale_x,
    scale_y,
)
from dlcourse.report.plots.levels import RATE, Scale, around_base, scale_of, scales
from dlcourse.report.points import Point


def draw_learning_rate(
    points: Sequence[Point], keys: Sequence[str], lost: Sequence[Point] = ()
) -> Figure | None:
    """Draw the metric over the learning rate, a line with its 95 % band for each value of a key.

    The key is the other one with the largest effect, if it has few values. With fewer than four
    repeats, each is a small dot and there is no band. Rates drawn at random are points without a
    line. lost: points whose training diverged; they are crosses at the edge. Returns None if fewer
    than two rates were tried.
    """
    compared = around_base(points, RATE, keys)
    rates = scale_of(compared, RATE)
    several = len(rates.levels) + len(
        set(places_of(rates, lost)) - {one.name for one in rates.levels}
    )
    if RATE not in keys or not rates.levels or several < 2 or not rates.numeric:
        return None
    others = [one for one in scales(compared, keys) if one.key != RATE]
    other = next((one for one in others if len(one.levels) <= len(MARKERS)), None)
    figure = empty_figure(6.4, 4.2)
    axes = figure.add_subplot(ylabel=points[0].monitor)
    scale_x(axes, rates, lost)
    if other is None:
        draw_line(axes, rates, rates, 0)
        crosses = mark_diverged(axes, rates, lost, points[0].mode, COLOURS[0])
    else:
        levels = scale_of(compared, other.key).levels
        crosses, entries = False, []
        for number, level in enumerate(levels):
            line = draw_line(axes, rates, scale_of(level.points, RATE), number)
            own = [point for point in lost if option_text(point, other.key) == level.name]
            crosses |= mark_diverged(axes, rates, own, points[0].mode, COLOURS[number], number)
            if line is not None:
                entries.append((line, value_label(level.name)))
        rest = {level.name for level in levels}
        own = [point for point in lost if option_text(point, other.key) not in rest]
        crosses |= mark_diverged(axes, rates, own, points[0].mode, "black", len(levels))
        look = {"loc": "outside right upper", "frameon": False, "alignment": "left"}
        add_legend(figure, entries, title=value_label(other.key), handlelength=3, **look)
    if crosses:
        axes.set_title("x: training diverged", loc="left", fontsize="medium")
    scale_y(axes, compared)
    style_axes(axes)
    return figure


def draw_line(axes: Axes, rates: Scale, own: Scale, number: int) -> Artist | None:
    """Draw one line and its band, or only the points if the rates were drawn at random.

    rates: all rates of the plot. own: those of this line.
    """
    if not own.levels:
        return None
    places = {level.name: rates.at(level) for level in rates.levels}
    along = [places[level.name] for level in own.levels]
    means = [level.spread.mean for level in own.levels]
    look: dict[str, Any] = {"color": COLOURS[number], "marker": MARKERS[number]}
    if rates.drawn:
        return axes.plot(along, means, linestyle="none", **look)[0]
    (line,) = axes.plot(along, means, linestyle=DASHES[number % len(DASHES)], **look)
    spreads = [level.spread for level in own.levels]
    if any(one.low is not None for one in spreads):
        low = [one.mean if one.low is None else one.low for one in spreads]
        high = [one.mean if one.high is None else one.high for one in spreads]
        axes.fill_between(along, low, high, color=COLOURS[number], alpha=0.18, linewidth=0)
    draw_repeats(axes, list(zip(along, spreads, strict=True)), COLOURS[number])
    return line
