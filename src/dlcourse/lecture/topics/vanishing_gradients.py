"""The gradient layer by layer: it vanishes with the sigmoid, and stays with the ReLU."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("max_epochs=1", "data.examples=60")
FULL = ()
_NAMES = {
    ("sigmoid", "none"): "sigmoid",
    ("sigmoid", "batch"): "sigmoid, batch norm",
    ("tanh", "none"): "tanh",
    ("relu", "none"): "ReLU",
}


def measure(bench: Bench) -> None:
    """Train ten layers with each activation; read the gradient of each layer before training."""
    sweep = bench.sweep("experiment=lecture/vanishing_gradients", "observe=[history,diagnostics]")
    runs = {
        _NAMES[run.config["model"]["activation"], run.config["model"]["norm"]]: run
        for run in sweep.runs
    }
    runs = {name: runs[name] for name in _NAMES.values() if name in runs}
    norms = {name: _gradient_norms(run) for name, run in runs.items()}
    accuracy = {name: [row["val/accuracy"] for row in run.history] for name, run in runs.items()}
    found = {}
    for name, values in norms.items():
        first, last = values[0], values[9]  # hidden layers 1 and 10; the last value is the output's
        found[name] = {
            "first": first,
            "last": last,
            "ratio": first / last,
            "factor": (first / last) ** (1 / 9),
            "accuracy": accuracy[name][-1],
        }
    bench.number("nets", found)
    bench.number("bound", 0.25**9)
    bench.number("guessing", 0.1)
    bench.figure("gradients", _draw_norms(norms))
    bench.figure("training", _draw_accuracy(accuracy))

    text = "Sigmoid: the gradient norm of layer 1 is a tiny fraction of that of layer 10"
    bench.claim(text, found["sigmoid"]["ratio"], at_most=1e-4)
    text = "Each sigmoid layer multiplies it by about 1/4 (geometric mean of the factors)"
    bench.claim(text, found["sigmoid"]["factor"], at_least=0.15, at_most=0.35)
    text = "ReLU with He's weights: layer 1 to layer 10"
    bench.claim(text, found["ReLU"]["ratio"], at_least=0.3, at_most=10)
    text = "The sigmoid network does not learn: validation accuracy after 20 epochs"
    bench.claim(text, found["sigmoid"]["accuracy"], at_most=0.25)
    bench.claim("The ReLU network does", found["ReLU"]["accuracy"], at_least=0.85)
    text = "With batch norm the sigmoid network learns as well"
    bench.claim(text, found["sigmoid, batch norm"]["accuracy"], at_least=0.85)


def _gradient_norms(run: "Run") -> list[float]:
    """Return the norm of each linear layer's gradient before the first step."""
    from dlcourse.observe.measurements import read_measurements

    start = next(line for line in read_measurements(run.folder) if line.get("step") == 0)
    names = [name for name in start["layers"] if _is_linear(run, name)]
    return [start["layers"][name]["gradient"] for name in names]


def _is_linear(run: "Run", name: str) -> bool:
    from torch import nn

    return isinstance(run.model.network.get_submodule(name), nn.Linear)


def _draw_norms(norms: dict[str, list[float]]) -> "Figure":
    """Draw the gradient norm over the layers, and the bound of the sigmoid's slope."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import MUTED, empty_figure

    figure = empty_figure(7.6, 4.2)
    axes = figure.subplots()
    axes.set(yscale="log", xlabel="hidden layer, from the inputs (1) to the outputs (10)")
    axes.set_ylabel("norm of the gradient of its weights")
    layers = list(range(1, 11))
    draw_named_lines(
        axes, {name: (layers, values[:10]) for name, values in norms.items()}, marker="o"
    )
    start = norms["sigmoid"][9] * 1.6
    axes.plot(layers, start * 0.25 ** (10.0 - np.array(layers)), color=MUTED, linewidth=1)
    axes.annotate(
        "a factor of 1/4\nin each layer", (4.5, start * 0.25**5.5), (-6, 8),
        textcoords="offset points", ha="right", color=MUTED, size=9,
    )  # fmt: skip
    axes.set_xticks(layers)
    axes.set_title("Before training: the sigmoid's gradient vanishes", loc="left", size=11)
    return figure


def _draw_accuracy(accuracy: dict[str, list[float]]) -> "Figure":
    """Draw the validation accuracy over the epochs."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(7.6, 3.4)
    axes = figure.subplots()
    axes.set(ylim=(0, 1), xlabel="epoch", ylabel="validation accuracy")
    draw_named_lines(axes, {name: (range(1, len(y) + 1), y) for name, y in accuracy.items()})
    axes.set_xticks([1, 5, 10, 15, 20])
    axes.set_title("Training: ten sigmoid layers learn only with a norm", loc="left", size=11)
    return figure
