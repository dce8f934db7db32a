"""Number formats: what fp64, fp32, fp16 and bf16 represent, and what training needs."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

SMOKE = ("max_epochs=1", "data.examples=60")
FULL = ()
_LAYOUT = {"fp64": (11, 52), "fp32": (8, 23), "fp16": (5, 10), "bf16": (8, 7)}
"""Bits of the exponent and of the fraction; one more is the sign."""


def measure(bench: Bench) -> None:
    """Compute with each format by hand, then train with three of them."""
    bench.number("formats", {name: _limits(name) for name in _LAYOUT})
    sums = {name: _running_sum(name, 4000) for name in ("fp32", "fp16", "bf16")}
    bench.number("sums", {name: values[-1] for name, values in sums.items()})
    bench.figure("sums", _draw_sums(sums))
    steps = np.logspace(-10, -0.5, 20)
    errors = {name: _slope_errors(name, steps) for name in ("fp64", "fp32", "bf16")}
    bench.number("slope", {name: min(values) for name, values in errors.items()})
    bench.figure("slopes", _draw_slopes(steps, errors))
    bench.command("check-gradient")

    sweep = bench.sweep("experiment=lecture/number_formats")
    found = {}
    for run in sweep.runs:
        losses = [row["train/loss"] for row in run.history]
        found[run.config["runtime"]["precision"]] = {
            "losses": losses,
            "loss": losses[-1],
            "accuracy": run.result["test"]["accuracy"],
            "seconds": sum(row["seconds"] for row in run.history) / len(run.history),
        }
    found = {name: found[name] for name in ("fp64", "fp32", "bf16")}
    for one in found.values():
        one["away"] = max(
            abs(x - y) / y for x, y in zip(one["losses"], found["fp64"]["losses"], strict=True)
        )
    bench.number("runs", found)
    bench.number("parameters", sweep.runs[0].result["parameters"])

    text = "The sum of 4,000 ones in bf16 stops at 256"
    bench.claim(text, sums["bf16"][-1], at_least=256, at_most=256)
    text = "A numeric gradient in fp64 is right up to a relative error of"
    bench.claim(text, min(errors["fp64"]), at_most=1e-9)
    text = "... in fp32 the best step leaves an error of"
    bench.claim(text, min(errors["fp32"]), at_least=1e-6)
    text = "Training in fp32: the losses differ from those in fp64 by at most (relative)"
    bench.claim(text, found["fp32"]["away"], at_most=0.02)
    text = "Training in bf16 costs at most this much of the test accuracy"
    bench.claim(text, found["fp64"]["accuracy"] - found["bf16"]["accuracy"], at_most=0.03)


def _dtype(name: str) -> "torch.dtype":
    """Return PyTorch's type of a format."""
    import torch

    types = {"fp64": "float64", "fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
    return getattr(torch, types[name])


def _limits(name: str) -> dict[str, float]:
    """Return the bits, the largest number, the distance from 1 to the next one, and 0.1."""
    import torch

    info, (exponent, fraction) = torch.finfo(_dtype(name)), _LAYOUT[name]
    return {
        "bits": info.bits,
        "exponent": exponent,
        "fraction": fraction,
        "largest": info.max,
        "smallest": info.tiny,
        "next": info.eps,
        "tenth": torch.tensor(0.1, dtype=_dtype(name)).double().item(),
        "small_step": (torch.tensor(1.0, dtype=_dtype(name)) + 0.001).double().item(),
    }


def _running_sum(name: str, count: int) -> list[float]:
    """Return the running sum of ones, rounded to the format after each addition."""
    import torch

    one, total, sums = torch.ones((), dtype=_dtype(name)), torch.zeros((), dtype=_dtype(name)), []
    for _ in range(count):
        total = total + one
        sums.append(float(total))
    return sums


def _slope_errors(name: str, steps: np.ndarray) -> list[float]:
    """Return the relative error of the sigmoid's slope by differences, for each step h.

    The slope is (s(x + h) - s(x - h)) / 2h at 200 points x from -2 to 2; the root mean square.
    """
    import torch

    x = torch.linspace(-2, 2, 200, dtype=torch.float64)
    true = torch.sigmoid(x) * (1 - torch.sigmoid(x))
    errors = []
    for step in steps:
        h = torch.tensor(step, dtype=_dtype(name))
        right, left = x.to(h) + h, x.to(h) - h
        slope = (torch.sigmoid(right) - torch.sigmoid(left)) / (2 * h)
        errors.append(float(((slope.double() - true) / true).square().mean().sqrt()))
    return errors


def _draw_sums(sums: dict[str, list[float]]) -> "Figure":
    """Draw the running sums; the right one is the diagonal."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(6.6, 3.4)
    axes = figure.subplots()
    axes.set(xlabel="number of ones added, one after the other", ylabel="sum")
    axes.set_ylim(-100, 4100)
    lines = {
        f"{name}: {values[-1]:,.0f}": (range(1, len(values) + 1), values)
        for name, values in sums.items()
    }
    draw_named_lines(axes, lines)
    axes.set_title("Sums stop growing where 1 is less than half a step", loc="left", size=11)
    return figure


def _draw_slopes(steps: np.ndarray, errors: dict[str, list[float]]) -> "Figure":
    """Draw the relative error of a numeric gradient over the step h."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(6.6, 3.6)
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlabel="step h", ylabel="relative error of the slope")
    axes.set_ylim(1e-12, 10)
    draw_named_lines(axes, {name: (steps.tolist(), y) for name, y in errors.items()}, marker="o")
    axes.set_title("A gradient check needs fp64", loc="left", size=11)
    return figure
