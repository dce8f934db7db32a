"""The distribution of the weights of each layer."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, MUTED, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, shortened, title_label

MOST_LAYERS = 24
BINS = 81
MANY_NEAR_ZERO = 0.5  # from this share on the others would be invisible on a linear scale


class LayerWeights(NamedTuple):
    """The weights of a layer: its name, the values (n,), and the share of them near zero."""

    name: str
    values: np.ndarray
    near_zero: float


def draw_weight_distribution(layers: Sequence[LayerWeights], limit: float, title: str) -> Figure:
    """Draw a histogram of the weights of each layer, with their spread and the share near zero.

    layers: at most 24 are drawn, evenly over the depth. limit: below it a weight is near zero.
    """
    kept = np.unique(np.linspace(0, len(layers) - 1, min(len(layers), MOST_LAYERS)).astype(int))
    columns = min(4, max(1, int(np.ceil(len(kept) ** 0.5))))
    rows = -(-len(kept) // columns)
    figure = empty_figure(max(2.6 * columns, 5.2), 0.5 + 1.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False)
    for place, axes in enumerate(panels.flat):
        if place >= len(kept):
            axes.set_axis_off()
            continue
        name, values, near_zero = layers[kept[place]]
        name = shortened(name, 24)
        end = float(np.quantile(np.abs(values), 0.999)) or 1.0
        axes.hist(values.clip(-end, end), BINS, range=(-end, end), color=COLOURS[0], linewidth=0)
        axes.axvline(0, color=MUTED, linewidth=0.6)
        log = near_zero > MANY_NEAR_ZERO
        if log:
            axes.set_yscale("symlog", linthresh=10)
            name += ", log scale"
        axes.set_title(name, loc="left", size=9, **LITERAL)
        text = f"{len(values):,} weights\nspread {values.std():.2g}\nnear 0: {near_zero:.0%}"
        axes.text(0.02, 0.97, text, transform=axes.transAxes, va="top", size=8)
        axes.set(yticks=[], ylim=(0, axes.get_ylim()[1] * (12 if log else 1.6)))
        axes.tick_params(labelsize=8)
    style_axes(*panels.flat, grid="x")
    figure.suptitle(title_label(title, 110), size=11, x=0.01, ha="left", **LITERAL)
    hidden = len(layers) - len(kept)
    note = f"; {hidden} layers between are not shown" if hidden else ""
    figure.supxlabel(f"weight (near 0: |w| < {limit:g}){note}", size=9)
    figure.supylabel("number of weights", size=9)
    return figure
