"""A regression's curve over its one input, with the data."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import (
    BEST,
    MOST_POINTS,
    MUTED,
    TRAIN,
    VAL,
    empty_figure,
    evenly,
    style_axes,
)
from dlcourse.drawing.text import LITERAL, title_label, value_label

POINT_LOOKS = {"train": (TRAIN, "o"), "val": (VAL, "s"), "test": (MUTED, "^")}


def draw_fitted_curve(
    x: np.ndarray,
    fitted: np.ndarray,
    points: Sequence[tuple[str, np.ndarray, np.ndarray]],
    *,
    truth: np.ndarray | None = None,
    band: float | None = None,
    names: tuple[str, str] = ("x", "t"),
    title: str = "",
) -> Figure:
    """Draw the predictions over the one input, the examples, and the true function if known.

    x: (G,) ascending. fitted: (G,) predictions there. points: for each part its name, ``train``,
    ``val`` or ``test``, its inputs (N,) and its targets (N,). truth: (G,) the function without
    noise. band: half the height of a band around the curve. names: of the input and of the target.
    The vertical axis shows the data; a curve that leaves it is cut off.
    """
    figure = empty_figure(7.2, 4.6)
    axes = figure.add_subplot()
    for part, inputs, targets in reversed(points):
        drawn = evenly(len(inputs), MOST_POINTS)
        colour, marker = POINT_LOOKS[part]
        size, alpha = (5, 0.8) if len(drawn) < 100 else (3, 0.45)
        axes.plot(
            inputs[drawn], targets[drawn], marker, color=colour, markersize=size, alpha=alpha,
            markeredgewidth=0, rasterized=len(drawn) > 200,
            label=f"{part}, {len(inputs):,} examples",
        )  # fmt: skip
    if truth is not None:
        axes.plot(x, truth, "--", color="black", linewidth=1.2, label="true function")
    axes.plot(x, fitted, "-", color=BEST, linewidth=2, label="fitted curve")
    if band is not None:
        look = {"color": BEST, "alpha": 0.15, "linewidth": 0}
        axes.fill_between(x, fitted - band, fitted + band, label="± 2 deviations of noise", **look)
    shown = np.concatenate(
        [targets for _, _, targets in points] + ([] if truth is None else [truth])
    )
    shown = shown[np.isfinite(shown)]
    if len(shown):
        margin = 0.15 * float(np.ptp(shown)) or 1.0
        axes.set_ylim(shown.min() - margin, shown.max() + margin)
    axes.set_xlim(x[0], x[-1])
    axes.set_xlabel(value_label(names[0]), **LITERAL)
    axes.set_ylabel(value_label(names[1]), **LITERAL)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9, markerscale=2)
    axes.set_title(title_label(title), loc="left", size=11, **LITERAL)
    style_axes(axes)
    return figure
