"""All activations: their curves and slopes, and what a deep network learns with each."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from dlcourse.lecture.bench import Bench
from dlcourse.preview.activation import FORMULAS, curve_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("max_epochs=1", "data.examples=60", "model.activation=relu,sigmoid")
FULL = ()

_DRAWN = ("sigmoid", "tanh", "identity", "relu", "gelu", "selu")
"""The activations whose learning curves are drawn."""


def measure(bench: Bench) -> None:
    """Train a deep network with every activation; draw them and compare their slopes."""
    sweep = bench.sweep("experiment=lecture/activations")
    runs = {run.config["model"]["activation"]: run for run in sweep.runs}
    accuracy = {name: run.result["test"]["accuracy"] for name, run in runs.items()}
    order = sorted(accuracy, key=lambda name: -accuracy[name])
    bench.number(
        "accuracy", {name: accuracy.get(name, float("nan")) for name in [*FORMULAS, "maxout"]}
    )
    bench.number("best", order[0])
    bench.number("worst", order[-1])
    bench.number("count", len(FORMULAS))
    bench.number("above", sum(value >= 0.9 for value in accuracy.values()))
    steepest = {name: float(np.nanmax(np.abs(curve_of(name, -4, 4).slopes))) for name in FORMULAS}
    bench.number("steepest", steepest)
    bench.number("product", steepest["sigmoid"] ** 5)
    checks = _identities()
    for name, value in checks.items():
        bench.number(name, value)

    bench.figure("functions", _draw_functions(accuracy))
    bench.figure("curves", _draw_learning(runs))
    relu = accuracy["relu"]
    bench.claim("ReLU learns: test accuracy", relu, at_least=0.85)
    bench.claim(
        "Five layers of sigmoids hardly learn in 8 epochs: test accuracy",
        accuracy["sigmoid"],
        at_most=0.6,
    )
    bench.claim(
        "GELU learns as well: the difference from ReLU",
        bench.numbers["accuracy"]["gelu"] - relu, at_least=-0.08, at_most=0.08,
    )  # fmt: skip
    bench.claim(
        "tanh x = 2 sigma(2x) - 1: the largest difference", checks["tanh_right"], at_most=1e-12
    )
    bench.claim(
        "tanh x is not 2 sigma(x) - 1: the largest difference", checks["tanh_wrong"], at_least=0.2
    )
    bench.claim(
        "GELU's slope with 0.0535161: the largest difference", checks["gelu_right"], at_most=1e-5
    )
    bench.claim(
        "GELU's slope with 0.535161: the largest difference", checks["gelu_wrong"], at_least=0.1
    )


def _identities() -> dict[str, float]:
    """Return the largest differences of two formulas of the slides from the true values."""
    x = torch.linspace(-5, 5, 1001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.nn.GELU(approximate="tanh")(x).sum(), x)
    x = x.detach()

    def gelu_slope(third: float) -> torch.Tensor:
        inner = 0.0356774 * x**3 + 0.797885 * x
        return (
            0.5 * torch.tanh(inner) + (third * x**3 + 0.398942 * x) / torch.cosh(inner) ** 2 + 0.5
        )

    return {
        "tanh_right": float((x.tanh() - (2 * torch.sigmoid(2 * x) - 1)).abs().max()),
        "tanh_wrong": float((x.tanh() - (2 * torch.sigmoid(x) - 1)).abs().max()),
        "gelu_right": float((slope - gelu_slope(0.0535161)).abs().max()),
        "gelu_wrong": float((slope - gelu_slope(0.535161)).abs().max()),
    }


def _draw_functions(accuracy: dict[str, float]) -> "Figure":
    """Draw f and f' of each activation, those with the best test accuracy first."""
    from dlcourse.drawing.style import COLOURS, MUTED, empty_figure

    names = sorted(FORMULAS, key=lambda name: -accuracy.get(name, 0))
    figure = empty_figure(10, 7.4)
    panels = figure.subplots(4, 6, sharex=True, sharey=True)
    for axes, name in zip(panels.flat, names, strict=False):
        curve = curve_of(name, -4, 4)
        axes.axhline(0, color=MUTED, linewidth=0.6)
        axes.axvline(0, color=MUTED, linewidth=0.6)
        axes.plot(curve.places, curve.values, color=COLOURS[0], linewidth=2.2)
        axes.plot(curve.places, curve.slopes, color=COLOURS[2], linewidth=1.6, linestyle="--")
        axes.set_title(f"{name}  {accuracy.get(name, float('nan')):.0%}", size=10)
        axes.set(xlim=(-4, 4), ylim=(-1.8, 2.6), xticks=(-3, 0, 3), yticks=(-1, 0, 1, 2))
        axes.spines[:].set_visible(False)
    for axes in panels[-1]:
        axes.set_xlabel("x")
    last = panels.flat[-1]
    last.set_axis_off()
    last.text(0, 1.2, "f(x)", color=COLOURS[0], size=12, ha="center")
    last.text(0, 0.2, "f'(x), dashed", color=COLOURS[2], size=12, ha="center")
    last.text(0, -0.8, "%: test accuracy", size=11, ha="center")
    return figure


def _draw_learning(runs: "dict[str, Run]") -> "Figure":
    """Draw the validation accuracy of some activations over the epochs."""
    from dlcourse.drawing.style import empty_figure, line_look, style_axes

    figure = empty_figure(6.8, 3.8)
    axes = figure.add_subplot(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
    for number, name in enumerate(name for name in _DRAWN if name in runs):
        values = [epoch["val/accuracy"] for epoch in runs[name].history]
        axes.plot(range(1, len(values) + 1), values, "o", markersize=3, linewidth=2, label=name,
                  **line_look(number))  # fmt: skip
    axes.legend(frameon=False, loc="center right")
    axes.set_title("Five hidden layers: the sigmoid hardly learns", size=11)
    style_axes(axes)
    return figure
