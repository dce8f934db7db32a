"""The decision function of a classifier of two classes over a plane, with its margin."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.boundary import Points
from dlcourse.drawing.style import COLOURS, DIVERGING, MOST_POINTS, empty_figure, evenly
from dlcourse.drawing.text import LITERAL, add_legend, class_labels, title_label, value_label

PLANE_MARKERS = "os"


def draw_decision_function(
    sides: tuple[np.ndarray, np.ndarray],
    scores: np.ndarray,
    points: Points,
    inside: np.ndarray,
    classes: Sequence[str],
    *,
    margin: float,
    features: Sequence[str],
    title: str,
) -> Figure:
    """Draw the score of the second class minus that of the first, with lines at 0 and the margin.

    sides: the grid's values (G,) and (H,). scores: (H, G). points: the training examples, whose
    classes are 0 and 1. inside: (N,) whether each has a loss: it is inside the margin or wrong, a
    support vector of a support vector machine.
    """
    figure = empty_figure(7.4, 5.4)
    axes = figure.add_subplot()
    end = max(float(np.quantile(np.abs(scores), 0.98)), 2 * margin)
    levels = np.linspace(-end, end, 25)
    shown = scores.clip(-end, end)
    filled = axes.contourf(*sides, shown, levels=levels, cmap=DIVERGING, alpha=0.75)
    name = [value_label(one, 16) for one in class_labels(classes)[0]]
    bar = figure.colorbar(filled, label=f"score of {name[1]} minus score of {name[0]}")
    bar.ax.yaxis.label.set(**LITERAL)
    bar.set_ticks([tick for tick in bar.get_ticks() if abs(tick) <= end])
    for value, style in ((-margin, "--"), (0.0, "-"), (margin, "--")):
        width = 2 if value == 0 else 1.2
        look = {"colors": "black", "linestyles": style, "linewidths": width}
        lines = axes.contour(*sides, scores, levels=[value], **look)
        axes.clabel(lines, fmt={value: f"{value:+g}" if value else "0"}, fontsize=9)
    drawn, entries = evenly(len(points.inputs), MOST_POINTS), []
    for number, marker in enumerate(PLANE_MARKERS):
        own = drawn[points.classes[drawn] == number]
        look = {"color": COLOURS[(0, 2)[number]], "markeredgecolor": "white", "markersize": 6}
        (dots,) = axes.plot(*points.inputs[own].T, marker, **look)
        entries.append((dots, name[number]))
    ringed = np.flatnonzero(inside)[evenly(int(inside.sum()), MOST_POINTS)] if inside.any() else []
    (rings,) = axes.plot(
        *points.inputs[ringed].reshape(-1, 2).T, "o", color="black", fillstyle="none", markersize=10
    )
    entries.append((rings, "within the margin or wrong"))
    axes.set(xlim=(sides[0][0], sides[0][-1]), ylim=(sides[1][0], sides[1][-1]))
    axes.set_xlabel(value_label(features[0]), **LITERAL)
    axes.set_ylabel(value_label(features[1]), **LITERAL)
    add_legend(figure, entries, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    axes.set_title(title_label(title), loc="left", size=11, **LITERAL)
    return figure
