"""Dead ReLUs: by a learning rate that is too high, and by biases that are too negative."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("max_epochs=1", "data.examples=60", "model.activation=relu,leaky_relu:0.1", "optim.lr=0.3")
FULL = ()

_SHIFTS = tuple(range(0, -13, -1))
"""What is added to all biases of the first layer."""


def measure(bench: Bench) -> None:
    """Train with ReLU and leaky ReLU at three rates, and shift the biases of a trained network."""
    sweep = bench.sweep("experiment=lecture/dead_relus")
    runs = {
        (run.config["model"]["activation"].partition(":")[0], run.config["optim"]["lr"]): run
        for run in sweep.runs
    }
    off = {key: _off_by_layer(run) for key, run in runs.items()}
    accuracy = {key: run.result["test"]["accuracy"] for key, run in runs.items()}
    rates = sorted({rate for _, rate in runs})
    low, high = rates[0], rates[-1]
    words = {"low": low, "middle": rates[len(rates) // 2], "high": high}
    for name in ("relu", "leaky_relu"):
        bench.number(f"off_{name}", {word: off[name, rate] for word, rate in words.items()})
        bench.number(name, {word: accuracy[name, rate] for word, rate in words.items()})

    shifted = [_off_after_shift(runs["relu", low], shift) for shift in _SHIFTS]
    bench.number(
        "shifted", {str(shift): share for shift, share in zip(_SHIFTS, shifted, strict=True)}
    )
    gradients = {name: _gradient_of_off_units(runs[name, low]) for name in ("relu", "leaky_relu")}
    bench.number("gradients", gradients)

    bench.figure("layers", _draw_layers(off, accuracy))
    bench.figure("outputs", bench.look(runs["relu", high], "activations")[0])
    bench.figure("biases", _draw_shifts(shifted))
    bench.claim(
        f"ReLU, rate {high:g}: the share of dead units in the last hidden layer",
        off["relu", high][-1],
        at_least=0.8,
    )
    bench.claim(
        f"ReLU, rate {words['middle']:g}: the share of dead units in the first layer",
        off["relu", words["middle"]][0],
        at_least=0.4,
    )
    bench.claim(f"ReLU, rate {high:g}: test accuracy", accuracy["relu", high], at_most=0.3)
    bench.claim(
        f"ReLU, rate {low:g}: the largest share of dead units in a layer",
        max(off["relu", low]),
        at_most=0.2,
    )
    bench.claim(
        f"Leaky ReLU, rate {high:g}: test accuracy", accuracy["leaky_relu", high], at_least=0.5
    )
    bench.claim("A dead ReLU's weights: the largest gradient", gradients["relu"], at_most=0)
    bench.claim(
        "A leaky ReLU's, off for every example: the largest gradient",
        gradients["leaky_relu"],
        at_least=1e-6,
    )


@torch.no_grad()
def _off_by_layer(run: "Run") -> list[float]:
    """Return the share of units of each hidden layer whose sum is below 0 for every example."""
    model = run.model
    signal = model.standardize(run.dataset.train.inputs).flatten(1)
    shares = []
    for layer in model.network.get_submodule("hidden").children():
        signal = layer(signal)
        if isinstance(layer, nn.Linear):
            shares.append(float((signal <= 0).all(0).float().mean()))
    return shares


def _off_after_shift(run: "Run", shift: float) -> float:
    """Return the share of units of the first layer that are dead if their biases are shifted."""
    bias = run.model.network.get_parameter("hidden.0.bias")
    with torch.no_grad():
        bias += shift
        share = _off_by_layer(run)[0]
        bias -= shift
    return share


def _gradient_of_off_units(run: "Run") -> float:
    """Return the largest gradient of a weight of the first layer, all of whose units are off.

    The biases are moved so far down that every sum is below 0.
    """
    model, train = run.model, run.dataset.train
    weight = model.network.get_parameter("hidden.0.weight")
    bias = model.network.get_parameter("hidden.0.bias")
    with torch.no_grad():
        bias -= 100
    loss = nn.functional.cross_entropy(model(train.inputs), train.targets)
    (gradient,) = torch.autograd.grad(loss, weight)
    with torch.no_grad():
        bias += 100
    return float(gradient.abs().max())


def _draw_layers(off: dict, accuracy: dict) -> "Figure":
    """Draw the share of dead units of each layer, a panel for each activation and rate."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    rates = sorted({rate for _, rate in off})
    figure = empty_figure(9, 3.6)
    panels = figure.subplots(1, 2, sharey=True)
    names = {"relu": "ReLU", "leaky_relu": "leaky ReLU, slope 0.1"}
    for axes, (name, title) in zip(panels, names.items(), strict=True):
        for number, rate in enumerate(rates):
            places = np.arange(3) + 0.27 * (number - (len(rates) - 1) / 2)
            bars = axes.bar(
                places, off[name, rate], 0.25, color=COLOURS[number],
                label=f"rate {rate:g}: accuracy {accuracy[name, rate]:.2f}",
            )  # fmt: skip
            axes.bar_label(bars, [f"{share:.0%}" for share in off[name, rate]], size=9)
        axes.set_xticks(range(3), ["layer 1", "layer 2", "layer 3"])
        axes.set_title(title, size=11)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1), fontsize=9)
        style_axes(axes, grid="y")
    panels[0].set(ylabel="units that are off\nfor every example", ylim=(0, 1.08))
    return figure


def _draw_shifts(shares: list[float]) -> "Figure":
    """Draw the share of dead units over the shift of the biases."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(6.4, 3.4)
    axes = figure.add_subplot(
        xlabel="added to all biases of the first layer", ylabel="dead units of this layer"
    )
    axes.plot(_SHIFTS, shares, "o-", color=COLOURS[2], linewidth=2)
    axes.invert_xaxis()
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_title("Biases that are too negative turn every ReLU off", size=11)
    style_axes(axes)
    return figure
