"""The weights of a linear model: by name, next to the true ones, or as images."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.image_grid import draw_image_grid
from dlcourse.drawing.style import COLOURS, DASHES, MUTED, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, add_legend, add_note, value_label

MOST_ROWS = 40  # with more weights only the largest are shown
MOST_OUTPUTS = 10
LOG_RANGE = 1000  # the axis is logarithmic on both sides of 0 if the weights span more than this


def draw_weights(
    names: Sequence[str],
    weights: np.ndarray,
    outputs: Sequence[str] = ("",),
    *,
    true: np.ndarray | None = None,
    title: str = "",
) -> Figure:
    """Draw the weights of every input as dots, one row for each, next to the true ones if known.

    names: of the D inputs or terms. weights: (K, D). outputs: names of the K outputs, in the
    legend if there are several; at most 10 are drawn. true: (K, D). With more than 40 names, those
    with the largest weights are shown.
    """
    order = np.sort(np.argsort(-np.abs(weights).max(0), kind="stable")[:MOST_ROWS])
    shown, rows = weights[:MOST_OUTPUTS, order], np.arange(len(order))
    figure = empty_figure(7.2, 1.5 + 0.3 * len(order))
    axes = figure.add_subplot(xlabel="weight, in the units of the raw data")
    axes.axvline(0, color=MUTED, linewidth=0.8)
    entries = []
    for number, values in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        if len(shown) == 1:
            axes.hlines(rows, 0, values, color=colour, linewidth=2)
        marker = "osD^v<>pPX"[number]
        (dots,) = axes.plot(values, rows, marker, color=colour, markersize=6)
        entries.append((dots, value_label(outputs[number], 24) or "learned"))
    if true is not None:
        for values in true[:MOST_OUTPUTS, order]:
            look = {"color": "black", "markersize": 11, "fillstyle": "none", "linestyle": DASHES[0]}
            (rings,) = axes.plot(values, rows, "o", **{**look, "linestyle": ""})
        entries.append((rings, "true"))
    labels = [value_label(names[int(number)], 30) for number in order]
    axes.set_yticks(rows, labels, **LITERAL)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    sizes = np.abs(shown[shown != 0])
    if len(sizes) and sizes.max() > LOG_RANGE * sizes.min() and sizes.max() > LOG_RANGE:
        axes.set_xscale("symlog", linthresh=1)
    if len(entries) > 1:
        add_legend(figure, entries, loc="outside right upper", frameon=False, fontsize=9)
    hidden = len(names) - len(order)
    add_note(figure, f"{hidden} smaller weights are not shown" if hidden else "")
    axes.set_title(value_label(title, 90), loc="left", size=11, **LITERAL)
    style_axes(axes, grid="x")
    return figure


def draw_templates(
    weights: np.ndarray, outputs: Sequence[str], title: str = "", columns: int = 5
) -> Figure:
    """Draw the weights of a linear classifier of images as one image for each class.

    weights: (K, H, W), red above 0 and blue below; or (K, H, W, 3), grey at 0. All classes share a
    scale.
    """
    largest = float(np.abs(weights).max()) or 1.0
    labels = [value_label(name, 16) for name in outputs]
    if weights.ndim == 4:
        return draw_image_grid(
            list(0.5 + weights / (2 * largest)), labels, columns=columns, title=title
        )
    return draw_image_grid(
        list(weights), labels, columns=columns, title=title, colours="RdBu_r",
        limits=(-largest, largest),
    )  # fmt: skip
