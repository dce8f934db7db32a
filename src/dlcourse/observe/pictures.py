"""Plots of the results of the metrics' ``full``; each returns a new matplotlib Figure.

The colours are safe for colour-blind readers, and no information is given by colour alone.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, DASHES, style_axes
from dlcourse.drawing.text import LITERAL, add_legend, class_labels

BLUE, ORANGE, RED, GREY = *COLOURS[:3], "#c9cdd2"
MANY_CURVES = 10  # with more classes only the worst are coloured, the others are grey
WORST_CURVES = 6
MANY_ROWS = 50  # with more classes only the 25 worst and the 25 best are shown


def draw_confusion(counts: list[list[int]], classes: list[str]) -> Figure:
    """Draw counts (K, K): true class in rows, predicted in columns, coloured by share of the row.

    The colour scale is the square root of the share, so that rare errors are visible. With up to 20
    classes the cells show the counts, with up to 100 the axes show the names.
    """
    table, size = np.array(counts), len(classes)
    share = table / table.sum(1, keepdims=True).clip(min=1)
    side = min(3.2 + 0.45 * size, 12)
    figure = Figure(figsize=(side, 0.92 * side), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted", ylabel="true")
    plot = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    bar = figure.colorbar(plot, shrink=0.8, label="share of the true class")
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
    axes.tick_params(length=0)
    if size <= 100:
        names, note = class_labels(classes)
        look = {"fontsize": 10 if size <= 20 else max(5, 300 / size), **LITERAL}
        upright = 0 if max(map(len, names)) <= 2 and size <= 40 else 90
        axes.set_xticks(range(size), names, rotation=upright, **look)
        axes.set_yticks(range(size), names, **look)
        add_note(figure, note)
    if size <= 20:
        for row, column in np.ndindex(size, size):
            colour = "white" if share[row, column] > 0.3 else "black"
            count = table[row, column]
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    return figure


def draw_precision_recall(full: dict, classes: list[str]) -> Figure:
    """Draw every class's precision over recall, in steps, with its average precision.

    full: the result of ``AveragePrecision.full``. Grey lines in the background connect points of
    equal F1.
    """
    details, (names, note) = full["average_precision"], class_labels(classes)
    present = [number for number, area in enumerate(details["per_class"]) if area is not None]
    worst_first = sorted(present, key=lambda number: details["per_class"][number])
    shown = worst_first[:WORST_CURVES] if len(present) > MANY_CURVES else present
    figure = Figure(figsize=(7.6, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="recall", ylabel="precision")
    draw_equal_f1(axes)
    entries = []
    for number in [n for n in present if n not in shown] + shown:
        curve = details["curves"][number]
        recall, precision = [0, *curve["recall"]], [curve["precision"][0], *curve["precision"]]
        place = shown.index(number) if number in shown else None
        look: dict[str, Any] = (
            {"color": GREY, "linewidth": 0.6, "zorder": 1.5}
            if place is None
            else {
                "color": COLOURS[place],
                "linestyle": DASHES[place % len(DASHES)],
            }
        )
        (curve,) = axes.step(recall, precision, where="pre", **look)
        if place is not None:
            entries.append((curve, f"{names[number]}  {details['per_class'][number]:.3f}"))
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
    axes.set_title(f"mean average precision {details['macro']:.3f}", loc="left")
    heading = "average precision"
    if len(shown) < len(present):
        (grey,) = axes.plot([], [], color=GREY, linewidth=0.8)
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


def draw_reliability(full: dict) -> Figure:
    """Draw accuracy against confidence per bin, and below it the share of examples per bin.

    full: the result of ``Calibration.full``. The bars of a calibrated model end at the diagonal.
    """
    table = full["calibration"]
    count = np.array(table["count"])
    filled = count > 0
    accuracy, confidence = (
        np.array([table[name][b] for b in np.flatnonzero(filled)])
        for name in ("accuracy", "confidence")
    )
    edges, share = np.linspace(0, 1, len(count) + 1), count[filled] / count.sum()
    place = {"x": edges[:-1][filled], "width": edges[1], "align": "edge"}
    figure = Figure(figsize=(5.4, 6.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(height=accuracy, color=BLUE, edgecolor="white", label="accuracy", **place)
    upper.bar(
        height=confidence - accuracy, bottom=accuracy, fill=False, edgecolor=RED, hatch="///",
        linewidth=0.8, label="from there to the confidence", **place,
    )  # fmt: skip
    upper.plot([0, 1], [0, 1], ":", color="black", linewidth=1, label="calibrated")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    error = share @ np.abs(confidence - accuracy)
    upper.set_title(f"expected calibration error {error:.4f}", loc="left")
    lower.bar(height=share, color=BLUE, edgecolor="white", **place)
    lower.axvline(share @ confidence, color="black", linestyle="--", label="mean confidence")
    lower.axvline(share @ accuracy, color=ORANGE, label="mean accuracy")
    lower.set(xlabel="confidence", ylabel="share of examples")
    figure.legend(loc="outside lower center", frameon=False, ncols=2)
    style_axes(upper, lower, grid="x")
    return figure


def draw_per_class(full: dict, classes: list[str]) -> Figure:
    """Draw precision, recall and F1 of every class in one row per class, sorted by F1.

    full: the result of ``Confusion.full``. With more than 50 classes only the 25 worst and the 25
    best are shown.
    """
    metrics = full["per_class"]
    order = sorted(range(len(classes)), key=lambda number: metrics["f1"][number])
    half = MANY_ROWS // 2
    many = len(order) > MANY_ROWS
    shown = order[:half] + order[-half:] if many else order
    rows = np.arange(len(shown), dtype=float)
    if many:
        rows[half:] += 1  # a gap for the classes between
    figure = Figure(figsize=(7, 1.5 + 0.2 * (rows[-1] + 1)), layout="constrained")
    axes = figure.add_subplot(xlim=(-0.01, 1.02), ylim=(rows[-1] + 0.7, -0.7))
    looks = {"precision": (BLUE, "<"), "recall": (ORANGE, ">"), "f1": ("black", "|")}
    columns = {name: np.array([metrics[name][n] for n in shown]) for name in looks}
    axes.hlines(rows, columns["precision"], columns["recall"], color=GREY, linewidth=2.5, zorder=1)
    for name, (colour, marker) in looks.items():
        label = "F1" if name == "f1" else name
        axes.plot(
            columns[name], rows, marker, color=colour, markersize=7, label=label, clip_on=False
        )
    names, note = class_labels(classes)
    labels = [f"{names[n]}  ({metrics['support'][n]})" for n in shown]
    axes.set_yticks(rows, labels, fontsize=9, **LITERAL)
    if many:
        axes.text(
            0, half, f"{len(order) - MANY_ROWS} classes between", va="center", color="#717581"
        )
    axes.set_title("by class, with its number of examples", loc="left")
    figure.legend(loc="outside lower center", frameon=False, ncols=3)
    add_note(figure, note)
    style_axes(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    return figure


def add_note(figure: Figure, note: str) -> None:
    """Write a note in small type at the bottom, if there is one."""
    if note:
        figure.supxlabel(note, fontsize=7, color="#717581", x=0.01, ha="left", wrap=True)
