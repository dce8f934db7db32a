"""Axes, ticks and marks that the plots share."""

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from dlcourse.drawing.text import LITERAL, value_label
from dlcourse.report.confidence import MIN_REPEATS, Estimate
from dlcourse.report.formatting import finite_number, option_text
from dlcourse.report.plots.levels import Scale
from dlcourse.report.points import Point

MARKERS = "os^Dv<>P"
DOT = "#c3c8ce"
MIN_TICK_GAP = 0.09  # share of the axis; labels of closer ticks would overlap
WIDE_RATIO = 100  # on narrower logarithmic axes powers of ten alone would be too few ticks
MARGIN = 0.08  # of the values' range, above and below


def scale_x(axes: Axes, scale: Scale, lost: Sequence[Point] = ()) -> None:
    """Prepare the x axis for a key's values: a tick for each value if there is room.

    On a logarithmic axis 0 is on the left, separated by a dotted line. lost: points that are not
    drawn because training diverged; their values get a position as well.
    """
    axes.set_xlabel(value_label(scale.key), **LITERAL)
    log = scale.log
    known = {level.name: scale.at(level) for level in scale.levels} | places_of(scale, lost)
    places = sorted(known.values())
    names = [value_label(name) for name in sorted(known, key=lambda name: known[name])]
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    if scale.zero is not None:
        axes.axvline(math.sqrt(places[0] * places[1]), color=DOT, linestyle=":", linewidth=1.5)
    if not scale.numeric:
        slanted = sum(map(len, names)) > 30
        turn = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        axes.set_xticks(places, names, **turn, **LITERAL)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif have_room(places, log):
        axes.set_xticks(places, names, **LITERAL)
        axes.xaxis.set_minor_locator(NullLocator())
    elif scale.zero is not None:
        some = [0, *range(1, len(places), -(-(len(places) - 1) // 5))]
        axes.set_xticks([places[one] for one in some], [names[one] for one in some], **LITERAL)
        axes.xaxis.set_minor_locator(NullLocator())
    elif log and places[-1] < WIDE_RATIO * places[0]:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")


def have_room(places: Sequence[float], log: bool) -> bool:
    """Return whether ticks at sorted positions can be distinguished."""
    along = [math.log(place) for place in places] if log else places
    gaps = [after - before for before, after in pairwise(along)]
    return min(gaps, default=1) > MIN_TICK_GAP * (along[-1] - along[0]) and len(places) <= 8


def scale_y(axes: Axes, points: Sequence[Point]) -> None:
    """Fit the y axis to the measured values; logarithmic if they differ by a factor of 20.

    Intervals of few repeats may be much wider than the measured values and are clipped.
    """
    values = [repeat.val for point in points for repeat in point.repeats]
    values = [value for value in values if math.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=0.0)
    if low > 0 and high > 20 * low and high > 1:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif low < high:
        axes.set_ylim(low - MARGIN * (high - low), high + MARGIN * (high - low))


def places_of(scale: Scale, lost: Sequence[Point]) -> dict[str, float]:
    """Return the positions of the values of points that are not drawn, by value.

    A value without a position on this axis is left out.
    """
    levels = {level.name: scale.at(level) for level in scale.levels}
    places = {}
    for point in lost:
        name = option_text(point, scale.key)
        number = finite_number(point.values.get(scale.key))
        if name in levels:
            places[name] = levels[name]
        elif scale.numeric and number is not None and (number > 0 or not scale.log):
            places[name] = number
    return places


def mark_diverged(
    axes: Axes, scale: Scale, lost: Sequence[Point], mode: str, colour: str, row: int = 0
) -> bool:
    """Mark values with which training diverged by crosses; return whether there are any.

    The crosses are at the edge where the metric is worse. row: the number of rows of crosses
    between these and the edge.
    """
    places = list(places_of(scale, lost).values())
    if places:
        away = 0.045 * row
        edge = [away if mode == "max" else 1.0 - away] * len(places)
        axes.plot(
            places, edge, "x", transform=axes.get_xaxis_transform(), clip_on=False, color=colour,
            markersize=8, markeredgewidth=2, zorder=4, label="diverged",
        )  # fmt: skip
    return bool(places)


def draw_repeats(axes: Axes, spreads: Sequence[tuple[float, Estimate]], colour: str) -> None:
    """Draw the values of two or three repeats as small dots; more repeats have an interval.

    spreads: a position on the x axis, and the estimate there.
    """
    dots = [(x, value) for x, one in spreads if 2 <= one.n < MIN_REPEATS for value in one.values]
    if dots:
        axes.scatter(
            *zip(*dots, strict=True), s=12, color=colour, alpha=0.6, linewidths=0, zorder=3
        )
