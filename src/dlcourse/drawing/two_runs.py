"""Plots that compare two models: curves, agreement on the same examples, errors."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dlcourse.drawing.style import COLOURS, MUTED, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, add_legend

A_COLOUR, B_COLOUR = COLOURS[0], COLOURS[1]
MAX_CLASSES_DRAWN = 24


class RunCurves(NamedTuple):
    """A metric of one run. train, val: the (epoch, value) of each fold; one fold for a hold-out.

    best: the best epochs, one for each fold.
    """

    name: str
    train: Sequence[Sequence[tuple[float, float]]]
    val: Sequence[Sequence[tuple[float, float]]]
    best: Sequence[int] = ()


def draw_two_curves(metrics: Mapping[str, tuple[RunCurves, RunCurves]], title: str) -> Figure:
    """Draw a panel for each metric with the curves of two runs; training is dotted.

    A dot marks the validation value of the best epoch. Each fold has a line of its own.
    """
    figure = empty_figure(4.8 * max(len(metrics), 1), 4.2)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, (name, both) in zip(panels, metrics.items(), strict=True):
        for curves, colour in zip(both, (A_COLOUR, B_COLOUR), strict=True):
            draw_folds(axes, curves, colour)
        values = [v for one in both for folds in (one.train, one.val) for f in folds for _, v in f]
        if name == "loss" and min(values) > 0 and max(values) > 20 * min(values):
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name, **LITERAL)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        style_axes(axes)
    names = [both.name for both in next(iter(metrics.values()))]
    entries = [(Line2D([], [], color=c, linewidth=2.2), n)
               for c, n in zip((A_COLOUR, B_COLOUR), names, strict=True)]  # fmt: skip
    look = {"color": MUTED, "linewidth": 1.6}
    entries += [
        (Line2D([], [], **look), "validation"),
        (Line2D([], [], linestyle=":", **look), "training"),
        (Line2D([], [], linestyle="", marker="o", color=MUTED), "best epoch"),
    ]
    figure.suptitle(title, **LITERAL)
    add_legend(figure, entries, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def draw_folds(axes: Axes, curves: RunCurves, colour: str) -> None:
    """Draw the training and validation curve of each fold, and a dot at its best epoch."""
    width = 2.0 if len(curves.val) <= 1 else 1.1
    for several, dash in ((curves.train, ":"), (curves.val, "-")):
        for points in several:
            marker = "." if len(points) == 1 else None
            axes.plot(*zip(*points, strict=True), dash, color=colour, linewidth=width,
                      marker=marker)  # fmt: skip
    for points, best in zip(curves.val, curves.best, strict=False):
        at = [(epoch, value) for epoch, value in points if epoch == best]
        if at:
            axes.plot(*zip(*at, strict=True), "o", color=colour, markersize=6)


class ClassPair(NamedTuple):
    """The recall of one class by two models, and its number of examples."""

    label: str
    examples: int
    a: float
    b: float


def draw_agreement(
    counts: Sequence[Sequence[int]], classes: Sequence[ClassPair], title: str
) -> Figure:
    """Draw how often two classifiers are right on the same examples, and the recall by class.

    counts: [[both right, only A], [only B, both wrong]]. classes: the largest gain of B first; of
    more than 24, those at both ends are drawn.
    """
    half = MAX_CLASSES_DRAWN // 2
    few = len(classes) <= MAX_CLASSES_DRAWN
    shown = list(classes) if few else [*classes[:half], *classes[-half:]]
    figure = empty_figure(9.6, max(4.4, 1.3 + 0.26 * len(shown)))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.5))
    draw_counts(left, counts)
    places = np.arange(len(shown))[::-1]
    a, b = (np.array([getattr(one, name) for one in shown]) for name in ("a", "b"))
    right.hlines(places, np.minimum(a, b), np.maximum(a, b), color="#c3c8ce", linewidth=3)
    dots_a = right.scatter(a, places, s=90, color=A_COLOUR, zorder=3)
    dots_b = right.scatter(b, places, s=30, color=B_COLOUR, marker="s", zorder=3)
    names = [f"{one.label} ({one.examples:,})" for one in shown]
    right.set_yticks(places, names, size=9, **LITERAL)
    right.set_ylim(-0.7, len(shown) - 0.3)
    low = min(a.min(initial=1.0), b.min(initial=1.0))
    right.set_xlim(max(0.0, low - 0.05), 1.02)
    right.set_xlabel("recall: share of the class's test examples that are right")
    add_legend(right, [(dots_a, "A"), (dots_b, "B")], loc="best", fontsize=9)
    style_axes(right)
    what = "by class (examples), largest gain of B on top"
    right.set_title(what if few else f"{what};\nthe {2 * half} largest of {len(classes)}", size=10)
    figure.suptitle(title, **LITERAL)
    return figure


def draw_counts(axes: Axes, counts: Sequence[Sequence[int]]) -> None:
    """Draw the 2 x 2 table of right and wrong predictions with its numbers."""
    fills = [["#eceef0", A_COLOUR], [B_COLOUR, "#eceef0"]]
    names = [["both right", "only A right"], ["only B right", "both wrong"]]
    for row in range(2):
        for column in range(2):
            alpha = 0.45 if row != column else 1.0
            axes.fill_between(
                [column, column + 1], 1 - row, 2 - row, color=fills[row][column], alpha=alpha,
                edgecolor="white", linewidth=3,
            )  # fmt: skip
            middle = column + 0.5, 1.5 - row
            axes.text(*middle, f"{counts[row][column]:,}", size=19, ha="center", va="bottom")
            axes.text(*middle, names[row][column], size=9, ha="center", va="top")
    axes.set(xlim=(0, 2), ylim=(0, 2), aspect="equal")
    axes.set_xticks([0.5, 1.5], ["B right", "B wrong"])
    axes.set_yticks([1.5, 0.5], ["A right", "A wrong"], rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("number of test examples", size=10)


def draw_errors(error_a: np.ndarray, error_b: np.ndarray, title: str) -> Figure:
    """Draw the absolute errors (N,) of two regressions against each other, and B - A."""
    figure = empty_figure(9.6, 4.4)
    left, right = figure.subplots(1, 2)
    top = float(max(error_a.max(), error_b.max())) * 1.05 or 1.0
    left.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle="--")
    closer = error_b < error_a
    for some, colour, marker, name in (
        (~closer, A_COLOUR, "o", "A is closer"), (closer, B_COLOUR, "s", "B is closer"),
    ):  # fmt: skip
        left.scatter(error_a[some], error_b[some], s=18, color=colour, marker=marker, alpha=0.7,
                     label=name)  # fmt: skip
    left.set(xlim=(0, top), ylim=(0, top), aspect="equal")
    left.set_xlabel("absolute error of A")
    left.set_ylabel("absolute error of B")
    left.legend(loc="upper left", fontsize=9)
    differences = error_b - error_a
    right.hist(differences, bins=min(40, 5 + math.isqrt(len(differences)) * 2), color=COLOURS[3])
    right.axvline(0, color=MUTED, linewidth=1)
    right.axvline(differences.mean(), color=COLOURS[2], linestyle="--", linewidth=2)
    right.set_xlabel(f"error of B - error of A (dashed: mean {differences.mean():.3g})")
    right.set_ylabel("number of test examples")
    style_axes(left, right)
    figure.suptitle(title, **LITERAL)
    return figure
