"""Precision, recall and F1 class by class."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, DPI, FAINT, MUTED, style_axes
from dlcourse.drawing.text import LITERAL, add_note, class_labels

MANY_ROWS = 50  # with more classes only the 25 worst and the 25 best are shown


def draw_per_class(metrics: Mapping[str, Sequence[float]], classes: Sequence[str]) -> Figure:
    """Draw precision, recall and F1 of every class in one row per class, sorted by F1.

    metrics: ``result["per_class"]``: ``precision``, ``recall``, ``f1`` and ``support``, a value for
    each class. With more than 50 classes only the 25 worst and the 25 best are shown.
    """
    order = sorted(range(len(classes)), key=lambda number: metrics["f1"][number])
    half = MANY_ROWS // 2
    many = len(order) > MANY_ROWS
    shown = order[:half] + order[-half:] if many else order
    rows = np.arange(len(shown), dtype=float)
    if many:
        rows[half:] += 1  # a gap for the classes between
    figure = Figure(figsize=(7, 1.7 + 0.2 * (rows[-1] + 1)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(
        xlim=(-0.01, 1.02), ylim=(rows[-1] + 0.7, -0.7), xlabel="value on the test examples"
    )
    looks = {"precision": (COLOURS[0], "<"), "recall": (COLOURS[1], ">"), "f1": ("black", "|")}
    columns = {name: np.array([metrics[name][n] for n in shown]) for name in looks}
    axes.hlines(rows, columns["precision"], columns["recall"], color=FAINT, linewidth=2.5, zorder=1)
    for name, (colour, marker) in looks.items():
        label = "F1" if name == "f1" else name
        axes.plot(
            columns[name], rows, marker, color=colour, markersize=7, label=label, clip_on=False
        )
    names, note = class_labels(classes)
    labels = [f"{names[n]}  ({metrics['support'][n]})" for n in shown]
    axes.set_yticks(rows, labels, fontsize=9, **LITERAL)
    if many:
        axes.text(0, half, f"{len(order) - MANY_ROWS} classes between", va="center", color=MUTED)
    worst, best = metrics["f1"][order[0]], metrics["f1"][order[-1]]
    axes.set_title(
        f"F1 from {worst:.3f} to {best:.3f}; in brackets: the class's examples", loc="left", size=11
    )
    figure.legend(loc="outside lower center", frameon=False, ncols=3)
    add_note(figure, note)
    style_axes(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    return figure
