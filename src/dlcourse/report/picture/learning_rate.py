"""What the learning rate does, for each value of another key."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.plot_text import add_legend, value_label
from dlcourse.report.picture.levels import Scale, around_base, scale_of, scales
from dlcourse.report.picture.look import (
    COLOURS,
    DASHES,
    MARKERS,
    empty_figure,
    plain,
    scale_x,
    scale_y,
)  # fmt: skip
from dlcourse.report.points import Point

RATE = "optim.lr"


def draw_learning_rate(points: Sequence[Point], keys: Sequence[str]) -> Figure | None:
    """Draw the figure over the learning rate, a line with its 95 % band for each value of a key.

    The key is the other one that matters most, if it has few values. Rates drawn at random are
    points without a line. None where fewer than two rates were tried.
    """
    compared = around_base(points, RATE, keys)
    rates = scale_of(compared, RATE)
    if RATE not in keys or len(rates.levels) < 2 or not rates.numeric:
        return None
    others = [one for one in scales(compared, keys) if one.key != RATE]
    other = next((one for one in others if len(one.levels) <= len(MARKERS)), None)
    figure = empty_figure(6.4, 4.2)
    axes = figure.add_subplot(ylabel=points[0].monitor)
    scale_x(axes, rates, log=rates.levels[0].number > 0)
    if other is None:
        draw_line(axes, rates, 0)
    else:
        levels = scale_of(compared, other.key).levels
        lines = [
            draw_line(axes, scale_of(level.points, RATE), number, rates.drawn)
            for number, level in enumerate(levels)
        ]
        entries = [
            (line, value_label(level.name))
            for line, level in zip(lines, levels, strict=True)
            if line is not None
        ]
        look = {"loc": "outside right upper", "frameon": False, "alignment": "left"}
        add_legend(figure, entries, title=value_label(other.key), handlelength=3, **look)
    scale_y(axes, compared)
    plain(axes)
    return figure


def draw_line(axes: Axes, rates: Scale, number: int, drawn: bool | None = None) -> Artist | None:
    """Draw one line and its band, or the points alone where the rates were drawn at random."""
    if not rates.levels:
        return None
    along = [level.number for level in rates.levels]
    means = [level.spread.mean for level in rates.levels]
    look = {"color": COLOURS[number], "marker": MARKERS[number]}
    if rates.drawn if drawn is None else drawn:
        return axes.plot(along, means, linestyle="none", **look)[0]
    (line,) = axes.plot(along, means, linestyle=DASHES[number % len(DASHES)], **look)
    low, high = (
        [level.spread.mean if (end := getattr(level.spread, side)) is None else end
         for level in rates.levels]
        for side in ("low", "high")
    )  # fmt: skip
    axes.fill_between(along, low, high, color=COLOURS[number], alpha=0.18, linewidth=0)
    return line
