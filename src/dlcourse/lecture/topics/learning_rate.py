"""Learning rates that are too low, good, too high and decayed; the bound, and the range test."""

import csv
import json
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("max_epochs=2",)
FULL = ()
_SHARES = (0.1, 0.5, 0.95, 1.05)
"""Learning rates of linear regression, as shares of the largest that converges."""


def measure(bench: Bench) -> None:
    """Train below and above the bound, at four rates on digits, and with a growing rate."""
    _show_bound(bench)
    _show_rates(bench)
    _show_range_test(bench)


def _show_bound(bench: Bench) -> None:
    preset = "experiment=lecture/learning_rate_bound"
    first = bench.train(preset, "optim.lr=0.01", "max_epochs=1")
    values, squares, lowest = _quadratic(first)
    bound = bench.number("bound", 2 / values.max())
    bench.number("largest_eigenvalue", values.max())
    bench.number("smallest_eigenvalue", values.min())
    rates = {share: float(f"{share * bound:.4f}") for share in _SHARES}
    sweep = bench.sweep(preset, "optim.lr=" + ",".join(map(str, rates.values())))
    runs = {run.config["optim"]["lr"]: run for run in sweep.runs}
    excess = {}
    for share, rate in rates.items():
        loss = np.array([row["train/loss"] for row in runs[rate].history]) - lowest
        steps = np.arange(len(loss))[:, None]  # the loss of an epoch is that before its step
        formula = (squares * values / 2 * (1 - rate * values) ** (2 * steps)).sum(1)
        excess[share] = (rate, loss, formula)
        bench.number(f"excess_{round(100 * share)}", loss[-1] / loss[0])
    bench.number("rates", list(rates.values()))
    bench.figure("bound", _draw_bound(excess))
    text = "At 0.95 of the bound, the excess loss after 100 steps, as a share of the first"
    bench.claim(text, excess[0.95][1][-1] / excess[0.95][1][0], at_most=0.1)
    text = "At 1.05 of the bound it has grown, by a factor of"
    bench.claim(text, excess[1.05][1][-1] / excess[1.05][1][0], at_least=100)
    away = max(float(np.max(np.abs(loss / formula - 1))) for _, loss, formula in excess.values())
    bench.claim("The largest relative error of the formula in all steps", away, at_most=0.05)


def _quadratic(run: "Run") -> tuple[np.ndarray, np.ndarray, float]:
    """Return the eigenvalues of the loss's Hessian, (w* . u)^2 for each eigenvector u, and L(w*).

    w* is the least-squares solution; training starts at weights of 0.
    """
    inputs = run.model.standardize(run.dataset.train.inputs).double().numpy()
    targets = run.dataset.train.targets.double().numpy()[:, 0]
    columns = np.column_stack([inputs, np.ones(len(inputs))])  # (N, D + 1), the bias is last
    best = np.linalg.lstsq(columns, targets)[0]
    values, vectors = np.linalg.eigh(2 * columns.T @ columns / len(columns))
    lowest = float(np.mean((columns @ best - targets) ** 2))
    return values, (vectors.T @ best) ** 2, lowest


def _show_rates(bench: Bench) -> None:
    sweep = bench.sweep("experiment=lecture/learning_rate")
    histories = {
        (run.config["optim"]["lr"], run.choices["schedule"]): run.history for run in sweep.runs
    }
    low, good, high = sorted({rate for rate, _ in histories})
    names = {
        "low": (low, "constant"),
        "good": (good, "constant"),
        "high": (high, "constant"),
        "decayed": (high, "cosine"),
    }
    losses = {name: [row["val/loss"] for row in histories[key]] for name, key in names.items()}
    for name, loss in losses.items():
        bench.number(f"{name}_loss", loss[-1])
        bench.number(f"{name}_accuracy", histories[names[name]][-1]["val/accuracy"])
    bench.number("high_range", [min(losses["high"][-10:]), max(losses["high"][-10:])])
    bench.figure("rates", _draw_rates({names[name]: loss for name, loss in losses.items()}))
    text = "The loss at the rate that is too low, over that at the good one"
    bench.claim(text, losses["low"][-1] / losses["good"][-1], at_least=3)
    text = "The loss at the rate that is too high, over that at the good one"
    bench.claim(text, losses["high"][-1] / losses["good"][-1], at_least=3)
    text = "The loss at the rate that is too high over that at the same rate, decayed"
    bench.claim(text, losses["high"][-1] / losses["decayed"][-1], at_least=1.5)


def _show_range_test(bench: Bench) -> None:
    from dlcourse.drawing.range_test import draw_range_test
    from dlcourse.preview.suggested_rate import suggested_rates

    steps = "20" if bench.smoke else "200"
    printed = bench.command("find-lr", "experiment=lecture/learning_rate", f"steps={steps}")
    assert printed.folder is not None
    found = json.loads((printed.folder / "find_lr.json").read_text("utf-8"))
    with (printed.folder / "find_lr.csv").open(encoding="utf-8") as file:
        rows = [(float(row["lr"]), float(row["loss"])) for row in csv.DictReader(file)]
    rates, losses = map(list, zip(*rows, strict=True))
    smoothed = suggested_rates(rates, losses, int(steps)).smoothed
    names = {"falls fastest": "falls_fastest", "a tenth of the minimum": "smallest_by_10"}
    marks = {name: found[key] for name, key in names.items() if found[key] is not None}
    title = "Range test: the loss of 200 steps, each with a larger rate"
    bench.figure("range_test", draw_range_test(rates, losses, smoothed, marks, title))
    for key in ("falls_fastest", "smallest", "largest_lr"):
        bench.number(key, found[key])
    falls = found["falls_fastest"] or np.nan
    text = "The rate at which the loss falls fastest in the range test"
    bench.claim(text, falls, at_least=0.02, at_most=1)


def _draw_bound(excess: dict) -> "Figure":
    """Draw the excess loss over the steps, measured and by the formula, for each rate."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import COLOURS, empty_figure

    figure = empty_figure(7.4, 4.2)
    axes = figure.subplots()
    axes.set(yscale="log", xlabel="step", ylabel="loss above the lowest one, L - L*")
    every = max(1, len(next(iter(excess.values()))[1]) // 20)
    for number, (_, loss, _) in enumerate(excess.values()):
        axes.plot(loss, "o", color=COLOURS[number], markersize=4, markevery=every)
    lines = {
        f"{share:g} x bound": (range(len(formula)), formula)
        for share, (_, _, formula) in excess.items()
    }
    draw_named_lines(axes, lines)
    title = "Rates as shares of the bound 2 / λmax: dots measured, lines by formula"
    axes.set_title(title, loc="left", size=11)
    return figure


def _draw_rates(losses: dict) -> "Figure":
    """Draw the validation loss over the epochs for each rate and schedule."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(7.4, 4.2)
    axes = figure.subplots()
    axes.set(yscale="log", xlabel="epoch", ylabel="validation loss", ylim=(0.05, 6))
    axes.set_yticks([0.1, 0.2, 0.5, 1, 2, 5], ["0.1", "0.2", "0.5", "1", "2", "5"])
    axes.minorticks_off()
    lines = {
        f"{rate:g}" + (f", {schedule}" if schedule != "constant" else ""): (
            range(1, len(loss) + 1),
            loss,
        )
        for (rate, schedule), loss in losses.items()
    }
    draw_named_lines(axes, lines)
    axes.axhline(np.log(10), color="black", linewidth=0.8, linestyle=":")
    axes.text(1, np.log(10) * 1.06, "guessing", size=9)
    axes.set_title("Too low, good, too high, and too high with decay", loc="left", size=11)
    return figure
