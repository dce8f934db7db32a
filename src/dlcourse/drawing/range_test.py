"""The loss at growing learning rates."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import BEST, COLOURS, FAINT, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, add_legend

SUGGESTION_LOOKS = ((BEST, "--"), (COLOURS[3], "-."))
HIGHEST = 1.5  # times the first smoothed loss: what lies above is cut off


def draw_range_test(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: np.ndarray,
    suggestions: Mapping[str, float],
    title: str,
) -> Figure:
    """Draw the loss of each step and the smoothed loss over a logarithmic axis of rates.

    suggestions: what a suggested rate is -> the rate, marked with its value. The axis ends above
    the first loss, so that a diverging loss leaves the plot.
    """
    figure = empty_figure(8, 4.8)
    axes = figure.subplots()
    axes.set_title(title, size=11, **LITERAL)
    shown = np.array(rates[: len(losses)])
    (single,) = axes.plot(shown, losses, color=FAINT, linewidth=1, marker=".", markersize=3)
    (mean,) = axes.plot(shown[: len(smoothed)], smoothed, color=COLOURS[0], linewidth=2.2)
    entries = [(single, "one step"), (mean, "mean of neighbouring steps")]
    for (name, rate), (colour, dash) in zip(suggestions.items(), SUGGESTION_LOOKS, strict=False):
        line = axes.axvline(rate, linewidth=1.6, color=colour, linestyle=dash)
        place = int(np.abs(np.log(shown[: len(smoothed)] / rate)).argmin())
        axes.plot([rate], [smoothed[place]], marker="o", color=colour, zorder=5)
        entries.append((line, f"{name}: {rate:.2g}"))
    axes.set_xscale("log")
    axes.set(xlabel="learning rate", ylabel="training loss of a batch")
    finite = np.array([loss for loss in losses if np.isfinite(loss)])
    if len(smoothed):
        low, start = min(smoothed.min(), np.percentile(finite, 2)), max(smoothed[0], finite[0])
        room = max(start - low, 0.05 * abs(start), 1e-12)
        axes.set_ylim(low - 0.08 * room, start + (HIGHEST - 1) * room)
    style_axes(axes)
    add_legend(axes, entries, frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    return figure
