"""Plot of the validation metric and the loss of every point over the epochs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from dlcourse.drawing.scales import distinct_labels, spread_out
from dlcourse.drawing.style import MUTED, empty_figure, line_look, style_axes
from dlcourse.drawing.text import LITERAL, value_label
from dlcourse.report.formatting import number_text, short_point_text
from dlcourse.report.histories import (
    Band,
    Trace,
    band_of,
    histories_of,
    metric_names,
    outside_band,
    traces_of,
)
from dlcourse.report.plots.levels import diverged_points, usable
from dlcourse.report.points import Point
from dlcourse.report.ranking import rank_by_data
from dlcourse.schema.facts import range_of

MAX_NAMED = 12
NAMED_OF_MANY = 8
"""Up to 12 points are all coloured and named; of more, the best 8, and the others are grey."""
MAX_WITH_TRAINING = 3  # points up to which the training part is drawn as well
LONGEST_CURVE_LABEL, LONGEST_NAME_IN_TITLE = 34, 70
BACKGROUND = "#c3c8ce"
LINE_GAP = 0.052  # between two labels, as a share of the height of the axes


class PointCurve(NamedTuple):
    """The curves of one point in one panel. look: colour and dash; None for a grey point."""

    point: Point
    name: str
    look: dict[str, Any] | None
    traces: list[Trace]
    band: Band


def draw_curves(points: Sequence[Point], keys: Sequence[str]) -> Figure | None:
    """Draw the monitored metric and the validation loss over the epochs, a line for each point.

    A line is the mean over the repeats, its band the smallest to the largest value; after the
    first repeat has stopped, each one is a thin line. With few points, the training part is a
    dotted line. A cross marks where training diverged. The best point is the first in colour and
    named at its line's end, as are all others if there are at most 12. Returns None without a
    history.
    """
    ranked = rank_by_data(usable(points))
    ranked += [point for point in points if not any(point is other for other in ranked)]
    metrics = drawn_metrics(ranked)
    if not metrics:
        return None
    named = len(ranked) if len(ranked) <= MAX_NAMED else NAMED_OF_MANY
    figure = empty_figure(9.6, 0.9 + 3.3 * len(metrics))
    panels = figure.subplots(len(metrics), 1, sharex=True, squeeze=False).ravel()
    for axes, metric in zip(panels, metrics, strict=True):
        curves = curves_of(ranked, keys, f"val/{metric}", named)
        with_training = len(ranked) <= MAX_WITH_TRAINING
        for curve in reversed(curves):  # the best on top
            draw_curve(axes, curve)
            if with_training and curve.look:
                draw_training(axes, band_of(traces_of(curve.point, f"train/{metric}")), curve.look)
        finish_axes(axes, f"val/{metric}")
        name_lines(axes, curves)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.suptitle(curves_title(ranked, keys, named), x=0.01, ha="left", size="large", **LITERAL)
    note = note_of(ranked, keys, metrics, named)
    figure.supxlabel(note, x=0.01, ha="left", size="small", color=MUTED, **LITERAL)
    return figure


def drawn_metrics(points: Sequence[Point]) -> list[str]:
    """Return the metrics of the panels, without ``val/``: the monitored one and the loss."""
    found = metric_names(
        [rows for p in points for run in p.runs for rows in histories_of(run).values()]
    )
    first = points[0].monitor.partition("/")[2] if points else ""
    second = "loss" if first != "loss" else next((name for name in found if name != "loss"), "")
    return [name for name in (first, second) if name in found]


def curves_of(
    ranked: Sequence[Point], keys: Sequence[str], key: str, named: int
) -> list[PointCurve]:
    """Return the curves of every point that has a value of the metric, in the order of rank."""
    curves = []
    labels = distinct_labels([curve_name(point, keys) for point in ranked], LONGEST_CURVE_LABEL)
    for number, point in enumerate(ranked):
        if traces := traces_of(point, key):
            look = line_look(number) if number < named else None
            curves.append(PointCurve(point, labels[number], look, traces, band_of(traces)))
    return curves


def curve_name(point: Point, keys: Sequence[str]) -> str:
    """Return a point's name for its label."""
    return value_label(short_point_text(point, tuple(keys)), LONGEST_NAME_IN_TITLE)


def draw_curve(axes: Axes, curve: PointCurve) -> None:
    """Draw a point's mean with its band, and single repeats where there is no mean."""
    look = curve.look or {"color": BACKGROUND, "linestyle": "-"}
    width, order = (1.9, 3) if curve.look else (0.9, 1)
    band = curve.band
    dot = "o" if len(band.epochs) == 1 else None
    axes.plot(
        band.epochs, band.mean, linewidth=width, zorder=order, marker=dot, markersize=4, **look
    )
    if band.n > 1 and curve.look:
        axes.fill_between(
            band.epochs, band.low, band.high, color=look["color"], alpha=0.15, linewidth=0
        )
    for trace in curve.traces:
        if rest := outside_band(trace, band):
            axes.plot(*zip(*rest, strict=True), linewidth=0.8, alpha=0.8, zorder=order, **look)
        if trace.diverged:
            axes.plot(
                *trace.values[-1], "x", color=look["color"], markersize=8, markeredgewidth=2,
                zorder=4,
            )  # fmt: skip


def draw_training(axes: Axes, band: Band, look: dict[str, Any]) -> None:
    """Draw the mean of the training part as a thin dotted line."""
    axes.plot(band.epochs, band.mean, linewidth=1.0, linestyle=":", color=look["color"], zorder=2)


def finish_axes(axes: Axes, name: str) -> None:
    """Name the y axis, and make it logarithmic if the drawn values differ by a factor of 20."""
    values = [float(value) for line in axes.lines for value in np.asarray(line.get_ydata())]
    low, high = min(values), max(values)
    log = low > 0 and high > 20 * low and range_of(name)[1] is None  # a share stays linear
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(f"{name} (log scale)" if log else name, **LITERAL)
    style_axes(axes)


def name_lines(axes: Axes, curves: Sequence[PointCurve]) -> None:
    """Write the names of coloured curves on the right, each next to the end of its line.

    Names that would overlap are moved apart, and a thin line leads to the curve's end.
    """
    named = [curve for curve in curves if curve.look]
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)  # the lines to the names do not change it
    last = max((trace.values[-1][0] for c in curves for trace in c.traces), default=1)
    axes.set_xlim(right=last)
    to_share = axes.transScale.transform
    (_, bottom), (_, top) = to_share([(1, low), (1, high)])

    def height(value: float) -> float:
        return float((to_share([(1, value)])[0][1] - bottom) / (top - bottom))

    ends = [end_of(curve) for curve in named]
    heights = spread_out([height(value) for _, value in ends], LINE_GAP)
    place = axes.get_yaxis_transform()
    for curve, (epoch, value), share in zip(named, ends, heights, strict=True):
        assert curve.look is not None
        at = to_share([(1, low), (1, high)])
        moved = axes.transScale.inverted().transform(
            [(1, at[0][1] + share * (at[1][1] - at[0][1]))]
        )[0][1]
        colour = curve.look["color"]
        end = (epoch - axes.get_xlim()[0]) / (last - axes.get_xlim()[0] or 1)
        axes.plot(
            [end, 1.025], [value, moved], color=colour, linewidth=0.9, linestyle=(0, (1, 3)),
            transform=place, clip_on=False, zorder=2,
        )  # fmt: skip
        axes.plot(
            [1.025, 1.07], [moved, moved], linewidth=1.9, transform=place, clip_on=False,
            **curve.look,
        )  # fmt: skip
        axes.text(1.08, moved, curve_label(curve), transform=place, va="center", size=9, **LITERAL)


def end_of(curve: PointCurve) -> tuple[int, float]:
    """Return the last epoch of a point's curve and its value there.

    That is the end of the repeat that was trained longest, or of the mean if several were.
    """
    traces = [trace for trace in curve.traces if trace.whole] or curve.traces
    longest = max(traces, key=lambda trace: trace.values[-1][0])
    last = longest.values[-1]
    band = curve.band
    return (last[0], band.mean[-1]) if band.epochs and band.epochs[-1] == last[0] else last


def curve_label(curve: PointCurve) -> str:
    """Return the label of a curve; it says if training diverged."""
    lost = sum(trace.diverged for trace in curve.traces)
    if not lost:
        return curve.name
    every = lost == len(curve.point.runs)
    return f"{curve.name}: x diverged" if every else f"{curve.name}: x {lost} diverged"


def curves_title(ranked: Sequence[Point], keys: Sequence[str], named: int) -> str:
    """Return the title: the best point and its value."""
    best = ranked[0]
    if not best.repeats:
        return f"{best.monitor} over the epochs; no run has finished"
    what = f"{best.monitor} {number_text(best.val.mean)}"
    if len(ranked) == 1:
        return f"{what}: mean over {best.val.n} repeats of the same options"
    more = f"; the best {named} of {len(ranked)} are in colour" if named < len(ranked) else ""
    return f"Best: {curve_name(best, keys)}, {what}{more}"


def note_of(
    ranked: Sequence[Point], keys: Sequence[str], metrics: Sequence[str], named: int
) -> str:
    """Return the note on what lines, bands and crosses are, and on points without a line."""
    most = max(len(point.repeats) for point in ranked)
    parts = ["line: validation"]
    if most > 1:
        parts = [f"line: mean over up to {most} seeds or folds", "band: smallest to largest value"]
        parts.append("thin: a repeat that was trained longer, or that failed")
    if len(ranked) <= MAX_WITH_TRAINING:
        parts.append("dotted: training")
    if named < len(ranked):
        parts.append("grey: the other points")
    lost = diverged_points(ranked)
    if any(run.diverged for point in ranked for run in point.runs):
        parts.append("x: training diverged")
    without = [p for p in lost if not traces_of(p, f"val/{metrics[0]}")]
    lines = ["; ".join(parts)]
    if without:
        names = ", ".join(curve_name(point, keys) for point in without[:4])
        more = f" and {len(without) - 4} more" if len(without) > 4 else ""
        lines.append(f"x diverged in the first epoch, so without a line: {names}{more}")
    return "\n".join(lines)
