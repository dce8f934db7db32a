"""Calibration: whether the confidence of a network equals its accuracy."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.introspect.classification import reliability_table
from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

RELIABILITY_WIDTH = 10  # bins
SMOKE = ("data=digits", "data.examples=60", "data.test_examples=60", "max_epochs=1")
FULL = ()


def measure(bench: Bench) -> None:
    """Train to the end, with label smoothing and with early stopping; scale the temperature."""
    until_end = bench.train("experiment=lecture/calibration")
    smoothed = bench.train("experiment=lecture/calibration", "loss.label_smoothing=0.1")
    stopped = bench.train(
        "experiment=lecture/calibration", "stop=patience", "monitor=val/loss", "mode=min"
    )
    val, known = _outputs(until_end, "val")
    outputs, targets = _outputs(until_end, "test")
    temperature = best_temperature(val, known)
    ways = {
        "trained to the end": outputs,
        f"divided by T = {temperature:.2f}": outputs / temperature,
        "label smoothing 0.1": _outputs(smoothed, "test")[0],
        "early stopping": _outputs(stopped, "test")[0],
    }
    rows = [_row(name, some, targets) for name, some in ways.items()]
    bench.number("rows", rows)
    bench.number("temperature", temperature)
    bench.number("val", len(known))
    bench.number("train_accuracy", until_end.result["train"]["accuracy"])
    bench.number("example", _softened(outputs, temperature))
    bench.figure("reliability", _draw_reliability(ways, targets))
    (_, accuracy, confidence, end, loss), scaled, smooth, stop = rows
    bench.claim(
        "Trained to the end, mean confidence minus accuracy", confidence - accuracy, at_least=0.05
    )
    bench.claim("The temperature that suits is above 1", temperature, at_least=1.2)
    bench.claim(
        "After temperature scaling the calibration error is this share of before",
        scaled[3] / end,
        at_most=0.6,
    )
    bench.claim("Temperature scaling lowers the test loss", loss - scaled[4], at_least=0.03)
    bench.claim(
        "Temperature scaling changes no prediction: difference of the accuracies",
        abs(scaled[1] - accuracy),
        at_most=0,
    )
    bench.claim(
        "With label smoothing the mean confidence is lower by",
        confidence - smooth[2],
        at_least=0.05,
    )
    bench.claim("Early stopping has a smaller error than the end by", end - stop[3], at_least=0.01)


def best_temperature(outputs: Tensor, targets: Tensor) -> float:
    """Return the temperature T with the smallest cross-entropy of outputs / T (N, K).

    Reference: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017,
    section 4.2.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return float(F.cross_entropy(outputs / np.exp(log_temperature), targets))

    found: Any = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    return float(np.exp(found.x))


def _outputs(run: "Run", name: str) -> tuple[Tensor, Tensor]:
    """Return a run's outputs (N, K) on its validation or test part, and the classes (N,)."""
    from dlcourse.engine.datasets import split_training_data

    part = run.dataset.test
    if name == "val":
        (division,) = split_training_data(run.config, run.dataset)
        part = run.dataset.train.subset(division.val)
    with torch.no_grad():
        return run.model(part.inputs).double(), part.targets


def _row(name: str, outputs: Tensor, targets: Tensor) -> list:
    """Return the name, accuracy, mean confidence, calibration error and cross-entropy."""
    confidence, predicted = outputs.softmax(1).max(1)
    correct = (predicted == targets).double()
    loss = float(F.cross_entropy(outputs, targets))
    error = _calibration_error(reliability_table(outputs, targets))
    return [name, float(correct.mean()), float(confidence.mean()), error, loss]


def _calibration_error(table) -> float:
    """Return the expected calibration error of a reliability table."""
    bins = [row for row in zip(*table.values(), strict=True) if row[2]]
    examples = sum(count for *_, count in bins)
    return sum(count * abs(sure - right) for sure, right, count in bins) / examples


def _softened(outputs: Tensor, temperature: float) -> list[float]:
    """Return the median of the confidence before and after scaling."""
    return [float(some.softmax(1).amax(1).median()) for some in (outputs, outputs / temperature)]


def _draw_reliability(ways: dict[str, Tensor], targets: Tensor) -> "Figure":
    """Draw a reliability diagram of each way, with its calibration error."""
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(8, 7.4)
    panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for axes, (name, outputs) in zip(panels, ways.items(), strict=True):
        _draw_bins(axes, reliability_table(outputs, targets, RELIABILITY_WIDTH))
        error = _row(name, outputs, targets)[3]
        axes.set_title(f"{name}: calibration error {error:.3f}", loc="left", fontsize=11)
        axes.label_outer()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_bins(axes: "Axes", table) -> None:
    """Draw the accuracy of each bin as a bar, the gap to its confidence, and the diagonal."""
    from dlcourse.drawing.style import BEST, COLOURS, style_axes

    edges = np.linspace(0, 1, len(table["count"]) + 1)[:-1]
    rows = [row for row in zip(edges, *table.values(), strict=True) if row[3] >= 5]
    left, sure, right, _ = np.array(rows or [[0, 0, 0, 0]], dtype=float).T
    look = {"width": 1 / len(edges), "align": "edge"}
    axes.bar(left, right, color=COLOURS[0], edgecolor="white", label="accuracy", **look)
    axes.bar(
        left, sure - right, bottom=right, fill=False, edgecolor=BEST, hatch="///",
        label="gap to the confidence", **look,
    )  # fmt: skip
    axes.plot([0, 1], [0, 1], "--", color="black", linewidth=1, label="calibrated")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")
    style_axes(axes, grid="y")
