"""The L1 penalty makes weights zero, the L2 penalty makes them small."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench
from dlcourse.lecture.part_metrics import part_metrics, subject_with

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = (
    "data.examples=60",
    "max_epochs=1",
    "seeds=1",
    "model.widths=[8]",
    "regularizer.elastic_net.strength=0.001,0.01",
)
FULL = ()
_NEAR = 0.001


def measure(bench: Bench) -> None:
    """Sweep the strength of both penalties; count the weights near zero."""
    sweep = bench.sweep("experiment=lecture/l1_sparsity")
    runs: dict[tuple[str, float], list[Run]] = {}
    for run in sweep.runs:
        options = run.config["regularizer"]["elastic_net"]
        penalty = "L1" if options["ratio"] == 1 else "L2"
        runs.setdefault((penalty, options["strength"]), []).append(run)
    found = {key: _sparsity_of(runs[key]) for key in sorted(runs)}
    strengths = sorted({strength for _, strength in found})
    rows = [
        {"strength": strength, "L1": found["L1", strength], "L2": found["L2", strength]}
        for strength in strengths
    ]
    bench.number("rows", rows)
    bench.number("half", next(row for row in rows if row["strength"] == 0.001))
    bench.number("more", rows[-2])
    bench.number("most", rows[-1])
    bench.number("near", _NEAR)
    bench.number("weights", _weights_of(sweep.runs[0]).size)
    bench.figure("one_weight", _draw_one_weight())
    bench.figure("sparsity", _draw_sparsity(rows))

    strong = 0.001
    sparse, dense, weakest = found["L1", strong], found["L2", strong], rows[0]["L1"]
    text = "With an L1 penalty of 0.001, the share of weights near zero"
    bench.claim(text, sparse["near"], at_least=0.35)
    bench.claim("With an L2 penalty of 0.001, the share is", dense["near"], at_most=0.15)
    text = "The test accuracy that this L1 penalty costs, compared with the weakest"
    bench.claim(text, weakest["accuracy"] - sparse["accuracy"], at_most=0.02)
    text = "The accuracy that the strongest L1 penalty costs"
    bench.claim(text, weakest["accuracy"] - rows[-1]["L1"]["accuracy"], at_least=0.02)
    text = "The largest share near zero at any strength of L2"
    bench.claim(text, max(row["L2"]["near"] for row in rows), at_most=0.4)


def _weights_of(run: "Run") -> np.ndarray:
    """Return all weights of the last epoch, without the biases."""
    network = subject_with(run).network
    weights = [weight for weight in network.parameters() if weight.dim() > 1]
    return np.concatenate([weight.detach().cpu().numpy().ravel() for weight in weights])


def _sparsity_of(runs: "list[Run]") -> dict[str, float]:
    """Return the means over the seeds at the end of training."""
    weights = [_weights_of(run) for run in runs]
    return {
        "near": mean(float((np.abs(one) < _NEAR).mean()) for one in weights),
        "size": mean(float(np.abs(one).mean()) for one in weights),
        "largest": mean(float(np.abs(one).max()) for one in weights),
        "accuracy": mean(part_metrics(run)["test"]["accuracy"] for run in runs),
    }


def _draw_one_weight() -> "Figure":
    """Draw the minimum of (w - a)^2 / 2 + penalty over a, for both penalties of strength 1."""
    from dlcourse.drawing.style import COLOURS, MUTED, empty_figure, style_axes

    a = np.linspace(-3, 3, 601)
    figure = empty_figure(5.6, 3.9)
    axes = figure.subplots()
    axes.plot(a, a, ":", color=MUTED)
    axes.plot(a, np.sign(a) * np.maximum(np.abs(a) - 1, 0), color=COLOURS[0], linewidth=2)
    axes.plot(a, a / 2, "--", color=COLOURS[1], linewidth=2)
    for text, height, colour in (
        ("no penalty", 3.0, MUTED),
        ("L1: |a| - 1, or 0", 2.0, COLOURS[0]),
        ("L2: a / 2", 1.5, COLOURS[1]),
    ):
        axes.text(3.1, height, text, color=colour, va="center")
    axes.set(
        xlabel="best weight without a penalty, a", ylabel="best weight with it, w", xlim=(-3, 5.4)
    )
    axes.set_title("L1 sets small weights to 0, L2 only halves them", loc="left", size=11)
    style_axes(axes)
    return figure


def _draw_sparsity(rows: Sequence[Mapping]) -> "Figure":
    """Draw the share of weights near zero and the accuracy over the strength."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(8.4, 3.9)
    panels = figure.subplots(1, 2)
    strengths = [row["strength"] for row in rows]
    for axes, value, label in zip(
        panels,
        ("near", "accuracy"),
        (f"share of weights with |w| < {_NEAR}", "test accuracy"),
        strict=True,
    ):
        for penalty, colour, marker, line in (
            ("L1", COLOURS[0], "o", "-"),
            ("L2", COLOURS[1], "s", "--"),
        ):
            values = [row[penalty][value] for row in rows]
            axes.plot(strengths, values, line, color=colour, marker=marker, label=penalty)
        axes.set(xscale="log", xlabel="strength of the penalty", ylabel=label)
        style_axes(axes)
    panels[0].set_ylim(0, 1)
    panels[0].legend(frameon=False)
    figure.suptitle(
        "L1 makes weights zero, many of them before it costs accuracy; L2 does not",
        x=0.02,
        ha="left",
        size=11,
    )
    return figure
