"""Recurrent networks that read an image row by row."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("data.examples=60", "max_epochs=1")
FULL = ()

CELL_NAMES = {"rnn": "vanilla", "gru": "GRU", "lstm": "LSTM"}


def measure(bench: Bench) -> None:
    """Train the three cells; measure how far their gradients reach, and what they know by row."""
    sweep = bench.sweep("experiment=lecture/recurrent")
    runs = {run.config["model"]["cell"]: run for run in sweep.runs}
    before, after, by_row = {}, {}, {}
    for cell, name in CELL_NAMES.items():
        run = runs[cell]
        images, targets = run.model.standardize(run.dataset.test.inputs), run.dataset.test.targets
        before[name] = gradient_by_row(_restarted(run.model.network), images, targets)
        after[name] = gradient_by_row(run.model.network, images, targets)
        guesses = probabilities_by_row(run.model.network, images).argmax(2)  # (rows, N)
        by_row[name] = (guesses == targets).float().mean(1).numpy()
        bench.number(
            cell,
            {
                "accuracy": run.result["test"]["accuracy"],
                "parameters": run.result["parameters"],
                "before": float(before[name][0]),
                "after": float(after[name][0]),
                "half": float(by_row[name][len(by_row[name]) // 2 - 1]),
            },
        )
    bench.figure("gradient", _draw_gradient(before, after))
    bench.figure("reading", _draw_reading(runs["gru"], by_row))

    accuracy = {cell: runs[cell].result["test"]["accuracy"] for cell in CELL_NAMES}
    bench.claim("The GRU reads digits: its test accuracy", accuracy["gru"], at_least=0.93)
    bench.claim("The LSTM reads digits: its test accuracy", accuracy["lstm"], at_least=0.93)
    bench.claim(
        "The vanilla network stays behind: accuracy of the GRU minus its own",
        accuracy["gru"] - accuracy["rnn"],
        at_least=0.03,
    )
    bench.claim(
        "Before training the vanilla gradient vanishes: at the first row, as a share of that at "
        "the last",
        before["vanilla"][0],
        at_most=1e-6,
    )
    bench.claim(
        "Gates let the gradient through: that share for the GRU, times that of vanilla",
        before["GRU"][0] / before["vanilla"][0],
        at_least=1000,
    )
    bench.claim(
        "Half of the rows are not enough: the accuracy of the GRU after 14 rows",
        by_row["GRU"][13],
        at_most=0.5,
    )


def gradient_by_row(network: Any, images: Tensor, targets: Tensor) -> np.ndarray:
    """Return the gradient norm of the loss at each row (H,), divided by that at the last row.

    It is the derivative by W x_t + b, what the cell gets from row t. images: standardised.
    """
    kept = []

    def keep(_: nn.Module, given: object, output: Tensor) -> None:
        output.retain_grad()
        kept.append(output)

    network.requires_grad_(True)
    hook = network.input.register_forward_hook(keep)
    F.cross_entropy(network(images), targets).backward()
    hook.remove()
    norms = kept[0].grad.norm(dim=(0, 2))  # (H,)
    return (norms / norms[-1]).numpy()


@torch.no_grad()
def probabilities_by_row(network: nn.Module, images: Tensor) -> Tensor:
    """Return what the network would say (H, N, classes) if the image ended after each row."""
    rows = range(1, images.shape[2] + 1)
    return torch.stack([network(images[:, :, :row]).softmax(1) for row in rows])


def _restarted(network: nn.Module) -> nn.Module:
    """Return a copy of a network with initial weights."""
    fresh = deepcopy(network)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in fresh.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
    return fresh


def _draw_gradient(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> "Figure":
    """Draw the gradient at each row, before and after training, on a logarithmic scale."""
    from dlcourse.drawing.style import empty_figure, line_look, style_axes

    figure = empty_figure(9, 3.8)
    panels = figure.subplots(1, 2, sharey=True)
    titles = ("before training: it vanishes", "after training: it reaches the first row")
    for axes, lines, title in zip(panels, (before, after), titles, strict=True):
        for number, (name, norms) in enumerate(lines.items()):
            rows = np.arange(1, len(norms) + 1)
            axes.semilogy(rows, norms, linewidth=2, label=name, **line_look(number))
        axes.set_title(title, size=11)
        axes.set_xlabel("row of the image (time step)")
        style_axes(axes)
    panels[0].set_ylabel("gradient norm, last row = 1")
    panels[0].legend(frameon=False, loc="lower right")
    return figure


def _draw_reading(run: "Run", by_row: dict[str, np.ndarray]) -> "Figure":
    """Draw the accuracy by the number of rows, and one digit with its probabilities row by row."""
    from dlcourse.drawing.style import SEQUENTIAL, empty_figure, line_look, style_axes

    test = run.dataset.test
    one = int((test.targets == 9).nonzero()[0])
    images = test.inputs[one : one + 1]
    shares = probabilities_by_row(run.model.network, run.model.standardize(images))[:, 0]
    figure = empty_figure(10.5, 3.9)
    left, middle, right = figure.subplots(1, 3, width_ratios=(5, 3, 4))
    for number, (name, accuracy) in enumerate(by_row.items()):
        rows = np.arange(1, len(accuracy) + 1)
        left.plot(rows, accuracy, linewidth=2, label=name, **line_look(number))
    left.axhline(0.1, color="0.6", linewidth=1, linestyle=":")
    left.annotate("guessing", (1, 0.1), (1, 0.03), color="0.4")
    left.set(xlabel="rows read", ylabel="test accuracy", ylim=(0, 1))
    left.set_title("accuracy while reading", size=11)
    left.legend(frameon=False, loc="upper left")
    style_axes(left)
    height = len(shares)
    middle.imshow(images[0, 0].numpy(), cmap="gray", extent=(0.5, height + 0.5, height + 0.5, 0.5))
    middle.set(xticks=[], ylabel="row")
    middle.set_title("a 9, from top to bottom", size=11)
    shown = right.imshow(
        shares.numpy(), aspect="auto", cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="nearest",
        extent=(-0.5, shares.shape[1] - 0.5, height + 0.5, 0.5),
    )  # fmt: skip
    right.set(xticks=range(shares.shape[1]), xlabel="class", ylabel="rows read")
    right.set_title("what the GRU says", size=11)
    figure.colorbar(shown, label="probability")
    return figure
