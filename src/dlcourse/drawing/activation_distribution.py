"""The distribution of the outputs of each layer of a network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import BEST, COLOURS, MUTED, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, shortened


@dataclass(frozen=True)
class LayerOutputs:
    """The outputs of a layer over some examples.

    activation: the name of the activation after it, whose outputs they are; empty if there is none.
    counts: of the outputs, in bins of equal width from ``low`` to ``high``. zeros: the share of
    outputs that are exactly 0; None without an activation.
    """

    name: str
    activation: str
    low: float
    high: float
    counts: np.ndarray
    mean: float
    spread: float
    zeros: float | None


def draw_activations(layers: Sequence[LayerOutputs], examples: int) -> Figure:
    """Draw a row for each layer, the first on top: histogram, mean and standard deviation.

    A bin with many outputs is darker; on the right are the numbers.
    """
    total = len(layers)
    figure = empty_figure(8, min(1.2 + 0.32 * total, 22))
    axes = figure.add_subplot(xlabel="output of a unit", ylabel="layer")
    for row, layer in enumerate(layers):
        edges = np.linspace(layer.low, layer.high, len(layer.counts) + 1)
        height = 0.42 * (layer.counts / layer.counts.max()) ** 0.5  # rare outputs stay visible
        axes.fill_between(
            edges, row - np.append(height, height[-1]), row + np.append(height, height[-1]),
            step="post", color=COLOURS[0], alpha=0.75, linewidth=0,
        )  # fmt: skip
        axes.plot(
            [layer.mean - layer.spread, layer.mean + layer.spread], [row, row], color="black",
            linewidth=1.2,
        )  # fmt: skip
        axes.plot(layer.mean, row, "o", color=BEST, markersize=4)
        numbers = f"{layer.mean:.2f} ± {layer.spread:.2f}"
        if layer.zeros is not None:
            numbers += f"   {layer.zeros:.0%} zeros"
        axes.text(
            1.01, row, numbers, transform=axes.get_yaxis_transform(), va="center", size=9,
            color="black", **LITERAL,
        )  # fmt: skip
    names = [shortened(f"{one.name} {one.activation}".strip(), 34) for one in layers]
    axes.set_yticks(range(total), names, size=9 if total <= 40 else 7, **LITERAL)
    axes.set_ylim(total - 0.5, -0.5)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.set_title(
        f"outputs of {total} layers on {examples} test examples\n"
        "dot: mean, line: standard deviation; height: root of the share",
        loc="left", size=10,
    )  # fmt: skip
    style_axes(axes, grid="x")
    return figure
