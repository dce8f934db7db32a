"""Descent with the whole training set, with mini-batches and with single examples."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("max_epochs=2,3,2", "data.examples=60")
FULL = ()
_NAMES = {"full": "all 512 examples", 32: "32 examples", 1: "1 example"}
_TARGET = 0.3  # validation loss


def measure(bench: Bench) -> None:
    """Train the same linear classifier with three batch sizes; measure the gradient's noise."""
    sweep = bench.sweep("experiment=lecture/batch_sizes")
    runs = {run.config["batch_size"]: run for run in sweep.runs}
    found = {size: _progress(runs[size]) for size in _NAMES}
    for size, one in found.items():
        for name in ("epochs_needed", "steps_needed", "examples_needed", "seconds_needed", "rises"):
            bench.number(f"{name}_{size}", one[name])
        bench.number(f"first_loss_{size}", one["loss"][0])
        bench.number(f"epoch_seconds_{size}", one["epoch_seconds"])
    bench.number("target", _TARGET)
    bench.figure("loss", _draw_progress(found))
    sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256]
    noise = _noise_of_batches(runs["full"], sizes)
    for size in (1, 64):
        bench.number(f"noise_{size}", noise[sizes.index(size)])
    bench.figure("noise", _draw_noise(sizes, noise))

    whole, mini, single = (found[size] for size in _NAMES)
    text = "After one epoch, the loss with single examples is a fraction of that with all in a step"
    bench.claim(text, single["loss"][0] / whole["loss"][0], at_most=0.4)
    text = "Steps with all examples need more epochs than steps with 32, by a factor of"
    bench.claim(text, whole["epochs_needed"] / mini["epochs_needed"], at_least=5)
    text = "An epoch of single examples takes longer than one in batches of 32, by a factor of"
    bench.claim(text, single["epoch_seconds"] / mini["epoch_seconds"], at_least=3)
    text = "With all examples in a step, the validation loss rises in no epoch"
    bench.claim(text, whole["rises"], at_most=0)
    text = "With single examples, the share of epochs in which it rises"
    bench.claim(text, single["rises"] / (len(single["loss"]) - 1), at_least=0.1)
    text = "64 times as many examples make the noise of the gradient smaller by a factor of"
    bench.claim(text, noise[0] / noise[sizes.index(64)], at_least=6, at_most=12)


def _progress(run: "Run") -> dict:
    """Return the validation loss of each epoch, and what was needed to reach the target."""
    loss = [row["val/loss"] for row in run.history]
    examples = run.result["examples"]["train"]
    size = run.config["batch_size"]
    steps = 1 if size == "full" else -(-examples // size)  # of an epoch
    seconds = float(np.median([row["seconds"] for row in run.history]))
    needed = next((row["epoch"] for row in run.history if row["val/loss"] < _TARGET), np.nan)
    return {
        "loss": loss,
        "steps": steps,
        "epoch_seconds": seconds,
        "epochs_needed": needed,
        "steps_needed": needed * steps,
        "examples_needed": needed * examples,
        "seconds_needed": needed * seconds,
        "rises": sum(after > before for before, after in pairwise(loss)),
    }


def _noise_of_batches(run: "Run", sizes: list[int], draws: int = 200) -> list[float]:
    """Return the root mean square distance of a batch's gradient from that of all examples.

    The weights are those of the run; the batches are drawn without replacement.
    """
    import torch
    from torch.nn.functional import cross_entropy

    count = run.result["examples"]["train"]
    inputs, targets = run.dataset.train.inputs[:count], run.dataset.train.targets[:count]
    weights = [weight.requires_grad_() for weight in run.model.parameters()]
    losses = cross_entropy(run.model(inputs), targets, reduction="none")
    gradients = []
    for loss in losses:  # (count, P), a row for each example
        parts = torch.autograd.grad(loss, weights, retain_graph=True)
        gradients.append(torch.cat([part.reshape(-1) for part in parts]))
    away = torch.stack(gradients).numpy()
    away = away - away.mean(0)
    random = np.random.default_rng(0)
    found = []
    for size in sizes:
        batches = [random.choice(count, min(size, count), replace=False) for _ in range(draws)]
        found.append(float(np.sqrt(np.mean([(away[b].mean(0) ** 2).sum() for b in batches]))))
    return found


def _draw_progress(found: dict) -> "Figure":
    """Draw the validation loss over epochs, steps and seconds."""
    from dlcourse.drawing.style import empty_figure, line_look, style_axes

    figure = empty_figure(9.0, 4.0)
    panels = figure.subplots(1, 3, sharey=True)
    names = ("epochs", "steps", "seconds of training")
    for axes, name in zip(panels, names, strict=True):
        for number, (size, one) in enumerate(found.items()):
            epochs = np.arange(1, len(one["loss"]) + 1)
            clock = {"epochs": 1, "steps": one["steps"]}.get(name, one["epoch_seconds"])
            axes.plot(epochs * clock, one["loss"], label=_NAMES[size], **line_look(number))
        axes.axhline(_TARGET, color="black", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        axes.set_xlabel(name)
        style_axes(axes)
    panels[0].set(yscale="log", ylabel="validation loss")
    panels[0].set_yticks([0.1, 0.2, 0.3, 0.5, 1, 2], ["0.1", "0.2", "0.3", "0.5", "1", "2"])
    panels[0].yaxis.set_minor_formatter("")
    figure.suptitle(
        "Validation loss over epochs, steps and seconds (dotted: the target)", x=0.01, ha="left"
    )
    lines, labels = panels[0].get_legend_handles_labels()
    figure.legend(lines, [f"{label} in a step" for label in labels], ncols=3, frameon=False,
                  loc="outside lower center")  # fmt: skip
    return figure


def _draw_noise(sizes: list[int], noise: list[float]) -> "Figure":
    """Draw the noise of the gradient over the batch size."""
    from dlcourse.drawing.style import COLOURS, MUTED, empty_figure, style_axes

    figure = empty_figure(6.4, 3.8)
    axes = figure.subplots()
    theory = [noise[0] / size**0.5 for size in sizes]
    axes.plot(sizes, theory, "--", color=MUTED, label="noise of one example / √B")
    axes.plot(sizes, noise, "o", color=COLOURS[0], label="measured, 200 batches each")
    axes.set(xscale="log", yscale="log", xlabel="examples in a batch, B")
    axes.set_ylabel("distance from the gradient\nof all examples (root mean square)")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.legend(frameon=False)
    axes.set_title("Four times the examples, half the noise", loc="left", size=11)
    style_axes(axes)
    return figure
