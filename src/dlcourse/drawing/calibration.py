"""The reliability diagram: whether the confidence of a classifier equals its accuracy."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import BEST, COLOURS, DPI, VAL, style_axes


def draw_calibration(table: Mapping[str, Sequence]) -> Figure:
    """Draw accuracy against confidence per bin, and below it the share of examples per bin.

    table: ``confidence``, ``accuracy`` and ``count`` of bins of equal width from 0 to 1; an empty
    bin has a count of 0. The bars of a calibrated model end at the diagonal.

    Reference: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    blue = COLOURS[0]
    count = np.array(table["count"])
    filled = count > 0
    accuracy, confidence = (
        np.array(table[name], dtype=float)[filled] for name in ("accuracy", "confidence")
    )
    edges, share = np.linspace(0, 1, len(count) + 1), count[filled] / count.sum()
    place = {"x": edges[:-1][filled], "width": edges[1], "align": "edge"}
    figure = Figure(figsize=(5.4, 6.6), dpi=DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(height=accuracy, color=blue, edgecolor="white", label="accuracy", **place)
    upper.bar(
        height=confidence - accuracy, bottom=accuracy, fill=False, edgecolor=BEST, hatch="///",
        linewidth=0.8, label="from there to the confidence", **place,
    )  # fmt: skip
    upper.plot([0, 1], [0, 1], ":", color="black", linewidth=1, label="calibrated")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    error, sure = share @ np.abs(confidence - accuracy), share @ confidence
    upper.set_title(
        f"expected calibration error {error:.4f}\n{direction(sure, share @ accuracy)}",
        loc="left", size=11,
    )  # fmt: skip
    lower.bar(height=share, color=blue, edgecolor="white", **place)
    lower.axvline(sure, color="black", linestyle="--", label="mean confidence")
    lower.axvline(share @ accuracy, color=VAL, label="mean accuracy")
    lower.set(xlabel="confidence: the largest probability", ylabel="share of examples")
    figure.legend(loc="outside lower center", frameon=False, ncols=2)
    style_axes(upper, lower, grid="x")
    return figure


def direction(confidence: float, accuracy: float) -> str:
    """Return in words whether the mean confidence is above or below the accuracy."""
    word = "above" if confidence > accuracy else "below"
    return f"mean confidence {confidence:.3f}, {word} the accuracy {accuracy:.3f}"
