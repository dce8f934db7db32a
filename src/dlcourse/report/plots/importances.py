"""Plot of the importances of the keys."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, value_label


def draw_importances(shares: Mapping[str, float]) -> Figure | None:
    """Draw each key's share as a bar, the largest on top; None without shares."""
    if not shares:
        return None
    order = sorted(shares, key=lambda name: shares[name])
    figure = empty_figure(6, 1.1 + 0.42 * len(order))
    axes = figure.add_subplot(xlabel="importance: share of the explained variance, in per cent")
    bars = axes.barh(
        range(len(order)), [100 * shares[name] for name in order], color=COLOURS[0], height=0.65
    )
    axes.set_yticks(range(len(order)), [value_label(name) for name in order], **LITERAL)
    axes.bar_label(bars, fmt="%.0f", padding=4)
    axes.set_xlim(0, max(100 * max(shares.values()) * 1.1, 1))
    style_axes(axes)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    return figure
