"""Several methods on the same data: what each one reaches, and how long it takes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, MUTED, VAL, empty_figure, style_axes

WILSON_Z = 1.959964  # of a 95 % interval


class MethodRow(NamedTuple):
    """A method, its validation and test metric, its time, and the validation of all it tried."""

    name: str
    val: float | None
    test: float
    seconds: float
    tried: Sequence[float] = ()


def draw_methods(rows: Sequence[MethodRow], metric: str, title: str, tested: int) -> Figure:
    """Draw a row for each method, the best on top: its metric on the left, its time on the right.

    metric: ``accuracy``, or an error such as ``rmse`` that should be small. tested: the number of
    test examples, which decides the 95 % interval of an accuracy.
    """
    high_is_good = metric == "accuracy"
    rows = sorted(rows, key=lambda row: row.test, reverse=not high_is_good)
    figure = empty_figure(8.4, 1.7 + 0.42 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, row in enumerate(rows):
        if len(row.tried) > 1:
            left.plot(row.tried, [place] * len(row.tried), "|", color=MUTED, markersize=9)
        if high_is_good:
            left.plot(accuracy_interval(row.test, tested), [place] * 2, color=COLOURS[0], lw=1.5)
        look = {"markersize": 8, "markeredgewidth": 1.5, "linestyle": ""}
        if row.val is not None:
            left.plot(row.val, place, "o", markerfacecolor="none", color=VAL, **look)
        left.plot(row.test, place, "D", color=COLOURS[0], **look | {"markersize": 6})
        right.barh(place, row.seconds, color=MUTED, height=0.45)
        text = f" {row.seconds:.2g} s" if row.seconds < 10 else f" {row.seconds:,.0f} s"
        right.text(row.seconds, place, text, va="center", fontsize=9)
    left.set_yticks(range(len(rows)), [row.name for row in rows])
    left.set_xlabel(metric if high_is_good else f"{metric.upper()}: small is good")
    right.set_xscale("log")
    right.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    right.set_xlabel("seconds, logarithmic")
    fastest, slowest = (f(max(row.seconds, 1e-4) for row in rows) for f in (min, max))
    right.set_xlim(fastest / 3, slowest * 8)
    left.set_title(title, loc="left", fontsize=11)
    (val,) = left.plot([], [], "o", markerfacecolor="none", color=VAL, markeredgewidth=1.5)
    (test,) = left.plot([], [], "D-" if high_is_good else "D", color=COLOURS[0])
    label = "test, with its 95 % interval" if high_is_good else "test"
    entries = [(val, "validation")] if any(row.val is not None for row in rows) else []
    entries.append((test, label))
    if any(len(row.tried) > 1 for row in rows):
        (tried,) = left.plot([], [], "|", color=MUTED, markersize=9)
        entries.append((tried, "validation of every value tried"))
    figure.legend(*zip(*entries, strict=True), loc="outside lower center", ncols=3, frameon=False)
    style_axes(left, right, grid="x")
    return figure


def accuracy_interval(accuracy: float, examples: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of an accuracy on independent examples.

    Reference: Wilson, "Probable inference, the law of succession, and statistical inference", JASA
    22, 1927.
    """
    weight = WILSON_Z**2 / examples
    centre = (accuracy + weight / 2) / (1 + weight)
    reach = math.sqrt(weight * accuracy * (1 - accuracy) + weight**2 / 4) / (1 + weight)
    return centre - reach, centre + reach
