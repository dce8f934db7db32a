"""Precision against recall, one curve for each class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, DASHES, DPI, FAINT, style_axes
from dlcourse.drawing.text import add_legend, add_note, class_labels

MANY_CURVES = 10  # with more classes only the worst are coloured, the others are grey
WORST_CURVES = 6


def draw_precision_recall(full: Mapping[str, Any], classes: Sequence[str]) -> Figure:
    """Draw every class's precision over recall, in steps, with its average precision.

    full: a result whose ``average_precision`` has ``macro``, ``per_class`` and ``curves``; None for
    a class without examples. Grey lines in the background connect points of equal F1.
    """
    details = full["average_precision"]
    names, note = class_labels(classes)
    present = [number for number, area in enumerate(details["per_class"]) if area is not None]
    worst_first = sorted(present, key=lambda number: details["per_class"][number])
    shown = worst_first[:WORST_CURVES] if len(present) > MANY_CURVES else present
    figure = Figure(figsize=(7.6, 5), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="recall", ylabel="precision")
    draw_equal_f1(axes)
    entries = []
    for number in [n for n in present if n not in shown] + shown:
        curve = details["curves"][number]
        recall, precision = [0, *curve["recall"]], [curve["precision"][0], *curve["precision"]]
        place = shown.index(number) if number in shown else None
        look: dict[str, Any] = (
            {"color": FAINT, "linewidth": 0.6, "zorder": 1.5}
            if place is None
            else {"color": COLOURS[place], "linestyle": DASHES[place % len(DASHES)]}
        )
        (line,) = axes.step(recall, precision, where="pre", **look)
        if place is not None:
            entries.append((line, f"{names[number]}  {details['per_class'][number]:.3f}"))
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
    axes.set_title(f"mean average precision {details['macro']:.3f}", loc="left")
    heading = "average precision"
    if len(shown) < len(present):
        (grey,) = axes.plot([], [], color=FAINT, linewidth=0.8)
        entries.append((grey, f"{len(present) - len(shown)} better ones"))
        heading = f"the {len(shown)} worst of {len(present)}"
    look = {"loc": "outside right upper", "frameon": False, "alignment": "left"}
    add_legend(figure, entries, title=heading, **look)
    add_note(figure, note)
    style_axes(axes, grid="x")
    return figure


def draw_equal_f1(axes: Axes) -> None:
    """Draw lines of equal F1, the harmonic mean of precision and recall."""
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = np.linspace(f1 / (2 - f1), 1, 100)
        precision = f1 * recall / (2 * recall - f1)
        axes.plot(recall, precision, color="#e3e5e8", linewidth=0.8, zorder=1)
        at = f1 / (2 - f1)
        axes.text(1.0, at + 0.008, f"F1 {f1}", color="#9aa0a6", fontsize=7, ha="right")
