"""A curve as a sum of ReLUs: by interpolation, and by training."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("max_epochs=1", "data.train_examples=60")
FULL = ()

_UNITS = (2, 4, 8, 16, 32, 64, 128)
"""The numbers of ReLUs of the interpolations."""

_LARGEST_CURVATURE = (2 * np.pi) ** 2
"""The largest absolute second derivative of sin(2 pi x)."""


def measure(bench: Bench) -> None:
    """Interpolate a sine wave by sums of ReLUs, and fit it with networks."""
    x = np.linspace(0, 1, 2001)
    errors = {n: float(np.abs(_sum_of_relus(n, x) - _wave(x)).max()) for n in _UNITS}
    bounds = {n: _LARGEST_CURVATURE / (8 * n**2) for n in _UNITS}
    tail = _UNITS[2:]  # the theory is about many units
    slope = float(np.polyfit(np.log(tail), np.log([errors[n] for n in tail]), 1)[0])
    bench.number("error", {str(n): error for n, error in errors.items()})
    bench.number("bound", {str(n): bound for n, bound in bounds.items()})
    bench.number("slope", slope)

    sweep = bench.sweep("experiment=lecture/universal_approximation")
    runs = {run.config["model"]["widths"][0]: run for run in sweep.runs}
    runs = dict(sorted(runs.items()))
    trained = {n: float(np.abs(_fit(run, x) - _wave(x)).max()) for n, run in runs.items()}
    bench.number("trained", {str(n): error for n, error in trained.items()})
    few, many = min(trained), max(trained)

    bench.figure("interpolation", _draw_interpolations(x))
    bench.figure("trained", _draw_fits(x, runs, trained))
    bench.figure("errors", _draw_errors(errors, trained))
    bench.claim(
        "The interpolation's error is at most the bound: the largest ratio of the two",
        max(errors[n] / bounds[n] for n in _UNITS),
        at_most=1.001,
    )
    bench.claim(
        "Twice the units, a quarter of the error: the slope between the logarithms",
        slope,
        at_least=-2.1,
        at_most=-1.9,
    )
    bench.claim(
        f"A trained network of {many} units is closer than one of {few}: the ratio of their errors",
        trained[many] / trained[few],
        at_most=0.2,
    )
    bench.claim(f"The largest error of the network of {many} units", trained[many], at_most=0.1)


def _wave(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * x)


def _sum_of_relus(units: int, x: np.ndarray) -> np.ndarray:
    """Return a sum of n ReLUs that meets the wave at n + 1 evenly spaced points.

    Each ReLU changes the slope at the point where it starts.
    """
    knots = np.linspace(0, 1, units + 1)
    slopes = np.diff(_wave(knots)) * units
    changes = np.diff(slopes, prepend=0)  # the output weights
    hidden = np.maximum(0, x[:, None] - knots[:-1])  # (points, units)
    return _wave(knots[0]) + hidden @ changes


def _fit(run: "Run", x: np.ndarray) -> np.ndarray:
    return run.predict(torch.tensor(x[:, None], dtype=torch.float32)).numpy()[:, 0]


def _draw_interpolations(x: np.ndarray) -> "Figure":
    """Draw the wave and its interpolations by few units, with the ReLUs of the first one."""
    from dlcourse.drawing.style import COLOURS, MUTED, empty_figure, style_axes

    figure = empty_figure(9, 3)
    for axes, units in zip(figure.subplots(1, 3, sharey=True), (4, 8, 16), strict=True):
        axes.plot(x, _wave(x), color=MUTED, linewidth=3, alpha=0.6)
        axes.plot(x, _sum_of_relus(units, x), color=COLOURS[2], linewidth=1.6)
        knots = np.linspace(0, 1, units + 1)
        axes.plot(knots, _wave(knots), "o", color=COLOURS[2], markersize=5)
        error = np.abs(_sum_of_relus(units, x) - _wave(x)).max()
        axes.set_title(f"{units} ReLUs: largest error {error:.3f}", size=11)
        axes.set_xlabel("x")
        style_axes(axes)
    figure.axes[0].set_ylabel("sin(2 pi x), grey")
    return figure


def _draw_fits(x: np.ndarray, runs: "dict[int, Run]", errors: dict[int, float]) -> "Figure":
    """Draw the curve of each trained network over the wave."""
    from dlcourse.drawing.style import COLOURS, MUTED, empty_figure, style_axes

    figure = empty_figure(10, 2.9)
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for axes, (units, run) in zip(panels, runs.items(), strict=True):
        axes.plot(x, _wave(x), color=MUTED, linewidth=3, alpha=0.6)
        axes.plot(x, _fit(run, x), color=COLOURS[0], linewidth=1.6)
        axes.set_title(f"{units} units, trained\nlargest error {errors[units]:.3f}", size=11)
        axes.set_xlabel("x")
        style_axes(axes)
    panels[0].set_ylabel("sin(2 pi x), grey")
    return figure


def _draw_errors(by_hand: dict[int, float], trained: dict[int, float]) -> "Figure":
    """Draw the largest errors over the number of units, both axes logarithmic."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(6.4, 3.8)
    axes = figure.add_subplot(
        xlabel="ReLUs", ylabel="largest error", xscale="log", yscale="log", xticks=_UNITS
    )
    axes.plot(*zip(*by_hand.items(), strict=True), "o-", color=COLOURS[2], linewidth=2)
    axes.plot(*zip(*trained.items(), strict=True), "s--", color=COLOURS[0], linewidth=2)
    axes.set_xticks(_UNITS, [str(n) for n in _UNITS])
    axes.minorticks_off()
    axes.annotate("by hand: 1 / n²", (16, by_hand[16]), xytext=(-10, -14), size=11,
                  textcoords="offset points", ha="right", color=COLOURS[2])  # fmt: skip
    many = max(trained)
    axes.annotate("trained", (many, trained[many]), xytext=(8, 0), size=11,
                  textcoords="offset points", va="center", color=COLOURS[0])  # fmt: skip
    axes.set_title("More ReLUs, a closer fit", size=11)
    style_axes(axes)
    return figure
