"""The learning rate over a run."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import MUTED, empty_figure, line_look, style_axes
from dlcourse.drawing.text import LITERAL, add_legend


class RateCurve(NamedTuple):
    """The learning rates (points,) of some parameters at points of a run, in epochs from 0."""

    label: str
    epochs: np.ndarray
    rates: np.ndarray


class Frozen(NamedTuple):
    """A part of a run, in epochs, in which some parameters are frozen, and their names."""

    label: str
    start: float
    end: float


def draw_schedule(
    curves: Sequence[RateCurve],
    title: str,
    *,
    steps_per_epoch: int | None = None,
    frozen: Sequence[Frozen] = (),
    log: bool = False,
) -> Figure:
    """Draw learning rates over the epochs, and bars below them where parameters are frozen.

    steps_per_epoch: adds an axis of steps at the top. log: a logarithmic axis of rates; a rate of 0
    is then a gap.
    """
    rows = 2 if frozen else 1
    legend_lines = len(curves) if len(curves) > 1 else 0
    height = 4.2 + 0.35 * len(frozen) + 0.2 * max(0, legend_lines - 4)
    figure = empty_figure(8, height)
    ratios = [4.0, 0.35 * len(frozen) + 0.1] if frozen else [1.0]
    panels = figure.subplots(
        rows, 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": ratios}
    )
    axes = panels[0, 0]
    figure.suptitle(title, size=11, **LITERAL)
    lines = [
        axes.plot(
            curve.epochs, curve.rates, drawstyle="steps-post", linewidth=1.8, **line_look(number)
        )[0]
        for number, curve in enumerate(curves)
    ]
    axes.set_ylabel("learning rate")
    end = max(float(curve.epochs[-1]) for curve in curves)
    axes.set_xlim(0, end)
    if log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
    style_axes(axes)
    if steps_per_epoch is not None:
        steps = axes.secondary_xaxis(
            "top", functions=(lambda x: x * steps_per_epoch, lambda x: x / steps_per_epoch)
        )
        steps.set_xlabel("step", color=MUTED)
        steps.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
        steps.tick_params(colors=MUTED)
        steps.spines["top"].set_visible(False)
    if len(curves) > 1:
        entries = [(line, curve.label) for line, curve in zip(lines, curves, strict=True)]
        add_legend(axes, entries, frameon=False, fontsize=9)
    bottom = panels[-1, 0]
    if frozen:
        for number, span in enumerate(frozen):
            last = min(span.end, end)
            bottom.barh(
                number, last - span.start, left=span.start, height=0.7, color="#d7dade",
                edgecolor=MUTED, hatch="///", linewidth=0.8,
            )  # fmt: skip
        bottom.set_yticks(range(len(frozen)), [f"{span.label}: frozen" for span in frozen], size=9)
        for text in bottom.get_yticklabels():
            text.set(**LITERAL)
        bottom.set_ylim(len(frozen) - 0.4, -0.6)
        bottom.spines[["top", "right", "left"]].set_visible(False)
        bottom.tick_params(axis="y", length=0)
    bottom.set_xlabel("epoch")
    return figure
