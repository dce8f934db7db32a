"""k-fold cross-validation: choosing a ridge penalty, and the luck of a single split."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ("split.folds=2",)
FULL = ()
REPEATS = 10


def measure(bench: Bench) -> None:
    """Choose a penalty by five folds; divide the data ten times for the spread of the mean."""
    few = ["optim.ridge=0.001,0.1"] if bench.smoke else []
    sweep = bench.sweep("experiment=lecture/cross_validation", *few)
    runs = sorted(sweep.runs, key=lambda run: run.config["optim"]["ridge"])
    penalties = [run.config["optim"]["ridge"] for run in runs]
    val = np.array([[f["val"]["loss"] for f in run.result["folds"]] for run in runs])  # (P, folds)
    test = np.array([run.result["mean"]["test/loss"] for run in runs])
    chosen = int(val.mean(1).argmin())
    alone = val.argmin(0)  # the choice of each fold
    columns = (penalties, val.mean(1), val.min(1), val.max(1), test)
    bench.number("rows", [list(map(float, row)) for row in zip(*columns, strict=True)])
    bench.number("chosen", penalties[chosen])
    bench.number("alone", sorted({penalties[one] for one in alone}))
    bench.number("fold_range", [float(val[chosen].min()), float(val[chosen].max())])
    bench.number("examples", [len(runs[0].dataset.train), len(runs[0].result["folds"])])

    repeated = bench.train(
        "experiment=lecture/cross_validation",
        f"optim.ridge={penalties[chosen]}",
        "split=repeated_kfold",
        f"split.repeats={2 if bench.smoke else REPEATS}",
    )
    folds = len(runs[0].result["folds"])
    singles = np.array([f["val"]["loss"] for f in repeated.result["folds"]]).reshape(-1, folds)
    means = singles.mean(1)  # (repeats,)
    spread = [float(singles.std(ddof=1)), float(means.std(ddof=1))]
    bench.number("spread", spread)
    bench.number("test_loss", float(test[chosen]))
    bench.number("val_loss", float(val[chosen].mean()))
    bench.figure("penalty", _draw_penalties(penalties, val, test))
    bench.figure("spread", _draw_spread(singles, float(test[chosen])))

    bench.claim(
        "The test loss of the chosen penalty over the smallest of all penalties",
        test[chosen] / test.min(),
        at_most=1.15,
    )
    bench.claim(
        "The largest penalty is too stiff: its validation loss over that of the chosen one",
        val.mean(1)[-1] / val.mean(1)[chosen],
        at_least=1.3,
    )
    bench.claim(
        "At one penalty, the largest of five single splits over the smallest",
        val[chosen].max() / val[chosen].min(),
        at_least=1.5,
    )
    bench.claim(
        "Single splits spread this many times as much as the mean of five folds",
        spread[0] / spread[1],
        at_least=2.5,
    )


def _draw_penalties(penalties: list[float], val: np.ndarray, test: np.ndarray) -> "Figure":
    """Draw the loss over the penalty: each fold with its own choice, their mean, and the test."""
    from dlcourse.drawing.style import COLOURS, FAINT, VAL, empty_figure, style_axes

    figure = empty_figure(7.6, 4.4)
    axes = figure.subplots()
    for fold in val.T:
        axes.plot(penalties, fold, color=FAINT, linewidth=1.2)
        best = int(fold.argmin())
        axes.plot(penalties[best], fold[best], "o", color="#717581", markersize=6)
    axes.plot([], [], "-o", color="#717581", label="single folds, and what each would choose")
    mean = val.mean(1)
    axes.plot(penalties, mean, color=VAL, linewidth=2.5, label="mean of the folds")
    axes.plot(penalties[int(mean.argmin())], mean.min(), "o", color=VAL, markersize=11)
    axes.plot(penalties, test, "--", color=COLOURS[0], linewidth=2, label="1,000 test examples")
    axes.set(xscale="log", yscale="log", xlabel="ridge penalty", ylabel="mean squared error")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:.2g}" if value < 0.5 else "")
    axes.legend(frameon=False)
    axes.set_title("Single folds disagree; their mean follows the test", loc="left", size=11)
    style_axes(axes)
    return figure


def _draw_spread(singles: np.ndarray, test: float) -> "Figure":
    """Draw the loss of every single fold (repeats, folds) and of the mean of each division."""
    from dlcourse.drawing.style import COLOURS, VAL, empty_figure, style_axes

    figure = empty_figure(7.6, 3.2)
    axes = figure.subplots()
    numbers = np.random.default_rng(0)
    for place, values, colour in ((1, singles.ravel(), "#717581"), (0, singles.mean(1), VAL)):
        height = place + numbers.uniform(-0.15, 0.15, len(values))
        axes.plot(values, height, "o", color=colour, markersize=6, alpha=0.7)
    axes.axvline(test, linestyle="--", color=COLOURS[0])
    axes.annotate(" test", (test, 1.38), color=COLOURS[0], size=10)
    axes.set_yticks([0, 1], [f"mean of {singles.shape[1]} folds", "one split alone"])
    axes.set(xlabel="validation loss of the same model", ylim=(-0.5, 1.6), xlim=(0, None))
    axes.set_title(f"{len(singles)} random divisions of the same examples", loc="left", size=11)
    style_axes(axes, grid="x")
    return figure
