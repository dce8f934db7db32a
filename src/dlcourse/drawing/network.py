"""A small fully connected network as a graph, with the values forward and the gradients back."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, MUTED, empty_figure
from dlcourse.drawing.text import LITERAL

LAYER_GAP, UNIT_GAP = 2.7, 1.3  # inches between layers, and between the units of a layer
NEAR_START = 0.22  # the place of a number on its line: there, those of 4 x 4 lines do not overlap


def draw_backpropagation(
    values: Sequence[Sequence[str]],
    forward: Sequence[np.ndarray],
    deltas: Sequence[Sequence[str]],
    back: Sequence[np.ndarray],
    names: Sequence[str],
    title: str,
) -> Figure:
    """Draw the network twice: with values and weights above, with gradients below.

    values, deltas: the text in each unit, layer by layer, the inputs first. forward, back: the
    weights and their gradients (units, inputs) between neighbouring layers. names: of the layers.
    """
    tall = max(map(len, values))
    width = max(6.5, LAYER_GAP * len(values) + 1.2)
    figure = empty_figure(width, 2 * (UNIT_GAP * tall + 0.8) + 0.6)
    figure.suptitle(title, size=11, **LITERAL)
    panels = figure.subplots(2, 1)
    draw_graph(panels[0], values, forward, names, COLOURS[0], "forward: outputs f(z), weights w")
    draw_graph(panels[1], deltas, back, names, COLOURS[2], "backward: dL/dz, dL/dw")
    return figure


def draw_graph(
    axes: Axes,
    units: Sequence[Sequence[str]],
    weights: Sequence[np.ndarray],
    names: Sequence[str],
    colour: str,
    heading: str,
) -> None:
    """Draw one graph: a circle with a text for each unit, a line with a number for each weight."""
    places = [
        [(LAYER_GAP * column, UNIT_GAP * ((len(some) - 1) / 2 - row)) for row in range(len(some))]
        for column, some in enumerate(units)
    ]
    for layer, matrix in enumerate(weights):
        for end, start in np.ndindex(matrix.shape):
            (x, y), (u, v) = places[layer][start], places[layer + 1][end]
            axes.plot([x, u], [y, v], color=colour, linewidth=1.1, alpha=0.6, zorder=1)
            share = 0.5 if matrix.shape == (1, 1) else NEAR_START
            axes.text(
                x + share * (u - x), y + share * (v - y), f"{matrix[end, start]:.3g}", size=9,
                ha="center", va="center", zorder=3,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )  # fmt: skip
    for some, texts in zip(places, units, strict=True):
        for (x, y), text in zip(some, texts, strict=True):
            axes.scatter(
                [x], [y], s=1900, facecolor="white", edgecolor=colour, linewidth=1.5, zorder=2
            )
            axes.text(x, y, text, size=9, ha="center", va="center", zorder=4)
    lowest = min(y for some in places for _, y in some)
    for column, name in enumerate(names):
        axes.text(
            LAYER_GAP * column, lowest - 0.72, name, size=9, ha="center", color=MUTED, **LITERAL
        )
    axes.set_title(heading, size=10, loc="left", **LITERAL)
    axes.set_xlim(-0.6, LAYER_GAP * (len(units) - 1) + 0.6)
    axes.set_ylim(lowest - 0.95, -lowest + 0.6)
    axes.set_axis_off()
