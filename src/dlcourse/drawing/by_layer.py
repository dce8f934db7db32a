"""Numbers of each layer of a network, one curve for each network, on a logarithmic axis."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.drawing.style import empty_figure, line_look, style_axes
from dlcourse.drawing.text import LITERAL, add_legend, shortened

MOST_LAYER_NAMES = 14  # layers whose names are written along the axis; more are numbered


def draw_by_layer(
    panels: Mapping[str, Mapping[str, Sequence[float]]], layers: Sequence[str], title: str
) -> Figure:
    """Draw a panel for each quantity and in it a curve for each network over its layers.

    panels: label of the vertical axis -> label of the curve -> a number of at least 0 for each
        layer. layers: names, used if all curves have as many points and there are few. Zeros
        have no place on a logarithmic axis: the label of their curve counts them.
    """
    figure = empty_figure(8, 3.2 * len(panels) + 0.6)
    figure.suptitle(title, size=11, **LITERAL)
    columns = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    named = len(layers) <= MOST_LAYER_NAMES and all(
        len(values) == len(layers) for curves in panels.values() for values in curves.values()
    )
    for axes, (label, curves) in zip(columns, panels.items(), strict=True):
        draw_layer_curves(axes, curves)
        axes.set_ylabel(label)
    bottom = columns[-1]
    if named:
        short = [shortened(name, 22) for name in layers]
        bottom.set_xticks(range(1, len(layers) + 1), short, rotation=35, ha="right", size=9)
        for text in bottom.get_xticklabels():
            text.set(**LITERAL)
    bottom.set_xlabel("layer with weights, from the inputs to the outputs")
    return figure


def draw_layer_curves(axes: Axes, curves: Mapping[str, Sequence[float]]) -> None:
    """Draw curves over the layers, counted from 1, with a legend if it says more than the title."""
    entries = []
    for number, (name, values) in enumerate(curves.items()):
        places = np.arange(1, len(values) + 1)
        numbers = np.array(values, dtype=float)
        numbers[~(numbers > 0)] = np.nan
        look = line_look(number)
        (line,) = axes.plot(places, numbers, marker="o", markersize=3.5, linewidth=1.6, **look)
        absent = int(np.isnan(numbers).sum())
        how_many = "every layer" if absent == len(numbers) else f"{absent} of {len(numbers)} layers"
        entries.append((line, f"{name} (0 at {how_many})".strip() if absent else name))
    axes.set_yscale("log")
    style_axes(axes)
    axes.set_xlim(0.5, max(map(len, curves.values())) + 0.5)
    if len(entries) > 1 or entries[0][1] != next(iter(curves)):
        add_legend(axes, entries, frameon=False, fontsize=9)
