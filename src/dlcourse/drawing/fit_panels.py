"""Several regressions of one input in one figure, each in a panel."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import BEST, COLOURS, TRAIN, empty_figure, style_axes


class FitPanel(NamedTuple):
    """One panel: a few curves over the same inputs.

    title: of the panel. curves: (C, G), drawn thin if there are several. truth: (G,) the function
    without noise. points: inputs (N,) and targets (N,) of the training data; None for none.
    """

    title: str
    curves: np.ndarray
    truth: np.ndarray
    points: tuple[np.ndarray, np.ndarray] | None = None


def draw_fit_panels(
    x: np.ndarray,
    panels: Sequence[FitPanel],
    columns: int,
    *,
    height: float = 2.6,
    top: float = 1.5,
) -> Figure:
    """Draw panels in rows of ``columns``, all with the same axes.

    x: (G,) ascending, the inputs of all curves. height: of a panel, in inches. top: the vertical
    axis shows -top to top; a curve that leaves it is cut off.
    """
    rows = -(-len(panels) // columns)
    figure = empty_figure(9, height * rows + 0.6)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for panel, place in zip(panels, axes.flat, strict=False):
        many = len(panel.curves) > 1
        for number, curve in enumerate(panel.curves):
            look = {"color": "#d9796b" if many else BEST, "linewidth": 0.8 if many else 2}
            label = "" if number else ("fitted curves" if many else "fitted curve")
            place.plot(x, curve, label=label, **look)
        place.plot(x, panel.truth, "--", color="black", linewidth=1.6, label="true function")
        if panel.points is not None:
            look = {"color": TRAIN, "markersize": 7, "markeredgecolor": "white", "zorder": 4}
            place.plot(*panel.points, "o", label="training data", **look)
        place.set_title(panel.title, loc="left", size=11)
        place.set_ylim(-top, top)
    for place in axes[-1]:
        place.set_xlabel("x")
    for place in axes[:, 0]:
        place.set_ylabel("t")
    style_axes(*axes.flat)
    lines, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    return figure


def draw_error_curves(
    panels: Sequence[tuple[str, str, Sequence[float], Mapping[str, Sequence[float]]]],
    ylabel: str,
    *,
    level: tuple[str, float] | None = None,
    top: float | None = None,
) -> Figure:
    """Draw errors over an option, one panel for each option, with the same vertical axis.

    panels: title, name of the option, its values, and the errors by name. The axis of values that
    are all above 0 is logarithmic. level: name and height of a dotted line. top: end of the
    vertical axis.
    """
    figure = empty_figure(9, 4)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for (title, name, values, errors), place in zip(panels, axes, strict=True):
        for number, (label, error) in enumerate(errors.items()):
            place.plot(values, error, "os^Dv"[number] + "-", color=COLOURS[number], label=label)
        if level is not None:
            place.axhline(level[1], color="black", linestyle=":", linewidth=1.2, label=level[0])
        if min(values) > 0:
            place.set_xscale("log")
        place.set_xlabel(name)
        place.set_title(title, loc="left", size=11)
        place.set_ylim(0, top)
    axes[0].set_ylabel(ylabel)
    style_axes(*axes)
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=10)
    return figure
