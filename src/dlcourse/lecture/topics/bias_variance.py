"""Bias and variance of a polynomial over the ridge penalty."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

DATA_SETS, SET_SIZE, SET_ORDER, SET_NOISE = 100, 11, 9, 0.3
PENALTY_GRID = np.logspace(-5, 2, 22)
PENALTY_WORDS = ("too small", "good", "too large")
SMOKE = ("seeds=1", "data.test_examples=50")
FULL = ()


def measure(bench: Bench) -> None:
    """Train on 20 data sets with three penalties; compute the same for 100 and many penalties."""
    from dlcourse.data.sine import sine
    from dlcourse.drawing.fit_panels import FitPanel, draw_fit_panels

    sweep = bench.sweep("experiment=lecture/bias_variance")
    runs: dict[float, list[Run]] = {}
    for run in sorted(sweep.runs, key=lambda one: one.config["data"]["seed"]):
        runs.setdefault(run.config["optim"]["ridge"], []).append(run)
    shown = sorted(runs)
    x = np.linspace(0, 1, 1000)
    truth = np.sin(2 * np.pi * x)
    curves = {one: np.stack([_polynomial_of(run, x) for run in runs[one]]) for one in shown}

    sets = [
        sine(
            root=Path(), seed=seed, train_examples=SET_SIZE, test_examples=len(x), spacing="even",
            noise=SET_NOISE,
        )
        for seed in range(DATA_SETS)
    ]  # fmt: skip
    inputs = sets[0].train.inputs[:, 0].double().numpy()  # the same in all sets
    targets = np.stack([one.train.targets[:, 0].double().numpy() for one in sets])  # (L, N)
    tests = np.stack([one.test.targets[:, 0].double().numpy() for one in sets])  # (L, G)
    computed = {one: _ridge_curves(inputs, targets, one, x) for one in [*shown, *PENALTY_GRID]}

    panels = [
        FitPanel(f"penalty {one:g}: {word}", curves[one], truth)
        for one, word in zip(shown, PENALTY_WORDS, strict=True)
    ]
    panels += [
        FitPanel(f"mean of {DATA_SETS} data sets", computed[one].mean(0)[None], truth)
        for one in shown
    ]
    bench.figure("curves", draw_fit_panels(x, panels, 3))
    parts = np.array([_parts_of(computed[one], truth, tests) for one in PENALTY_GRID])  # (P, 3)
    bench.figure("parts", _draw_parts(parts))

    bias, variance, error = parts.T
    best = int(error.argmin())
    bench.number("rows", [[one, *_parts_of(computed[one], truth, tests)] for one in shown])
    bench.number("best", [float(PENALTY_GRID[best]), *map(float, parts[best])])
    bench.number("ends", [float(error[0]), float(error[-1])])
    bench.number("data_sets", DATA_SETS)
    bench.claim(
        "The curves computed here are those of the runs: largest difference",
        max(np.abs(curves[one] - computed[one][: len(curves[one])]).max() for one in shown),
        at_most=0.02,
    )
    bench.claim(
        "bias² + variance + noise is the test error: largest relative difference",
        np.abs((bias + variance + SET_NOISE**2) / error - 1).max(),
        at_most=0.03,
    )
    bench.claim(
        "A small penalty has the larger variance: over that of the largest penalty",
        variance[0] / variance[-1],
        at_least=4,
    )
    bench.claim(
        "A large penalty has the larger bias²: over that of the smallest penalty",
        bias[-1] / bias[0],
        at_least=20,
    )
    bench.claim(
        "The best penalty is in between: the smaller test error of both ends over the best one",
        min(error[0], error[-1]) / error[best],
        at_least=1.2,
    )


def _polynomial_of(run: "Run", x: np.ndarray) -> np.ndarray:
    """Return the curve (G,) that a run has fitted."""
    found = run.result["weights"]
    return np.polynomial.polynomial.polyval(x, [*found["b"], *found["w"][0]])


def _ridge_curves(
    inputs: np.ndarray, targets: np.ndarray, penalty: float, x: np.ndarray
) -> np.ndarray:
    """Return the ridge regressions (L, G) of L data sets with the same inputs.

    inputs: (N,), standardised before their powers are taken. targets: (L, N). x: (G,).
    """
    powers = np.arange(1, SET_ORDER + 1)
    features, at_x = (
        ((one - inputs.mean()) / inputs.std())[:, None] ** powers for one in (inputs, x)
    )
    means = features.mean(0)
    centred = features - means  # the bias has no penalty
    hat = np.linalg.solve(centred.T @ centred + penalty * np.eye(SET_ORDER), centred.T)  # (M, N)
    offsets = targets.mean(1, keepdims=True)
    return offsets + (targets - offsets) @ hat.T @ (at_x - means).T


def _parts_of(curves: np.ndarray, truth: np.ndarray, tests: np.ndarray) -> list[float]:
    """Return bias², variance, and the mean squared error on noisy test targets.

    curves: (L, G) of L data sets. truth: (G,). tests: (L, G), the targets of each set's test part.
    """
    bias = float(((curves.mean(0) - truth) ** 2).mean())
    return [bias, float(curves.var(0).mean()), float(((curves - tests) ** 2).mean())]


def _draw_parts(parts: np.ndarray) -> "Figure":
    """Draw bias², variance, their sum with the noise, and the test error over the penalty."""
    from dlcourse.drawing.style import COLOURS, MUTED, empty_figure, style_axes

    bias, variance, error = parts.T
    figure = empty_figure(8, 4.4)
    axes = figure.add_subplot(xscale="log", xlabel="ridge penalty", ylabel="mean squared error")
    axes.plot(PENALTY_GRID, bias, "--", color=COLOURS[2], linewidth=2)
    axes.plot(PENALTY_GRID, variance, "-.", color=COLOURS[0], linewidth=2)
    axes.plot(PENALTY_GRID, bias + variance + SET_NOISE**2, color="black", linewidth=2)
    axes.plot(PENALTY_GRID, error, "o", color=COLOURS[1], markersize=6)
    axes.axhline(SET_NOISE**2, color=MUTED, linestyle=":")
    for text, place, colour in (
        ("bias²", (20, bias[-4] - 0.02), COLOURS[2]),
        ("variance", (2e-5, variance[1] + 0.01), COLOURS[0]),
        ("bias² + variance + noise", (2e-5, bias[1] + variance[1] + SET_NOISE**2 + 0.01), "black"),
        ("noise", (1e-2, SET_NOISE**2 + 0.01), MUTED),
    ):
        axes.annotate(text, place, color=colour, size=11)
    axes.annotate("dots: measured test error", (0.03, 0.9), xycoords="axes fraction", size=11)
    axes.set_ylim(0)
    axes.set_title("A penalty trades variance for bias", loc="left", size=11)
    style_axes(axes)
    return figure
