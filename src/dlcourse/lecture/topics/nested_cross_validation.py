"""Nested cross-validation: the best of many noisy choices looks better than it is."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.baseline.arguments import BaselinePlan

OUTER_FOLDS = 5
RANDOM_CLASSES = ("data=moons", "data.train_examples=60", "data.random_labels=1")
GRID = ("method=svm", "svm.c=1,10,100", "svm.gamma=0.1,0.3,1,3,10,30")
PLAIN = ("split=kfold", "split.folds=5")
DRAWS = 10
SHOWN_DRAW = "data.seed=1"
SMOKE = ()
FULL = ()


def measure(bench: Bench) -> None:
    """Choose among SVMs on random labels: by five folds, and nested."""
    grid = ("method=svm", "svm.c=1", "svm.gamma=0.1,100") if bench.smoke else GRID
    plain = _baseline(bench, *RANDOM_CLASSES, *grid, *PLAIN)
    bench.number("plain", plain["val"]["accuracy"])
    bench.number("candidates", len(plain["tried"]))
    bench.number("average", float(np.mean([one["val"]["accuracy"] for one in plain["tried"]])))
    folds = ("split=nested", f"split.outer={OUTER_FOLDS}")
    outers = [
        _baseline(bench, *RANDOM_CLASSES, *grid, *folds, f"split.fold={fold}")
        for fold in range(OUTER_FOLDS)
    ]
    bench.number("rows", [_row_of(one) for one in outers])
    bench.number("outer", float(np.mean([one["test"]["accuracy"] for one in outers])))

    from dlcourse.baseline.arguments import read_baseline

    plans = [read_baseline([*RANDOM_CLASSES, *grid, *split], None) for split in (PLAIN, folds)]
    draws = [_both(seed, plans) for seed in range(2 if bench.smoke else DRAWS)]
    looked, honest = np.array(draws).T
    bench.number("looked", float(looked.mean()))
    bench.number("honest", float(honest.mean()))
    bench.number("draws", len(draws))
    counts = np.array([1, 3, 10, 30, 100, 300, 1000])
    curves = {n: [expected_best(int(m), n) for m in counts] for n in (20, 60, 200, 1000)}
    bench.number("best_of_hundred", curves[60][4])
    bench.figure("optimism", _draw_optimism(counts, curves, looked, honest))

    error = float(honest.std(ddof=1) / np.sqrt(len(honest)))
    bench.number("standard_error", error)
    optimism = float((looked - honest).mean())
    bench.number("optimism", optimism)
    bench.claim(
        "The truth is 0.5, and the chosen candidate's validation accuracy is",
        float(looked.mean()),
        at_least=0.55,
    )
    bench.claim(
        "Nested cross-validation is honest: its distance from 0.5",
        abs(float(honest.mean()) - 0.5),
        at_most=0.06,
    )
    bench.claim("The optimism of choosing: the difference", optimism, at_least=0.03)
    bench.claim(
        "The expected best of a hundred guessers on 60 examples",
        curves[60][4],
        at_least=0.63,
        at_most=0.68,
    )


def _row_of(one: dict) -> list:
    """Return the chosen options, their inner validation accuracy, and the outer test accuracy."""
    options = " ".join(f"svm.{key}={value}" for key, value in one["options"].items())
    return [options, one["val"]["accuracy"], one["test"]["accuracy"]]


def expected_best(candidates: int, examples: int) -> float:
    """Return the expected accuracy of the best of independent guessers of two classes.

    The sum over k of the probability that the best has more than k of n right, over n.
    """
    from scipy.stats import binom

    below = binom.cdf(np.arange(examples), examples, 0.5)  # at most k right
    return float((1 - below**candidates).sum() / examples)


def _baseline(bench: Bench, *args: str) -> dict:
    """Run ``dlcourse baseline`` with one method; return what it reached."""
    printed = bench.command("baseline", *args, SHOWN_DRAW)
    assert printed.folder is not None
    (found,) = json.loads((printed.folder / "results.json").read_text("utf-8"))["methods"]
    return found


def _both(seed: int, plans: Sequence["BaselinePlan"]) -> tuple[float, float]:
    """Return the best validation of five folds, and the nested estimate, for one draw of labels.

    plans: of plain and of nested cross-validation, whose seeds and outer fold are replaced.
    """
    from dlcourse.baseline.fit_baselines import Baseline, fit_method, fold_tables

    def fit(plan: "BaselinePlan", **split: int) -> Baseline:
        data = plan.config["data"] | {"seed": seed}
        config = plan.config | {"data": data, "split": plan.config["split"] | split}
        return fit_method("svm", plan.candidates["svm"], fold_tables(plan._replace(config=config)))

    plain, nested = plans
    chosen = fit(plain).val
    assert chosen is not None
    tests = [fit(nested, fold=fold).test["accuracy"] for fold in range(OUTER_FOLDS)]
    return chosen["accuracy"], float(np.mean(tests))


def _draw_optimism(counts, curves: dict, looked: np.ndarray, honest: np.ndarray) -> "Figure":
    """Draw the best of many guessers over their number, and both estimates of every draw."""
    from dlcourse.drawing.style import COLOURS, VAL, empty_figure, line_look, style_axes

    figure = empty_figure(9.4, 4.2)
    left, right = figure.subplots(1, 2)
    for number, (examples, values) in enumerate(curves.items()):
        left.plot(counts, values, "o", **line_look(number) | {"linewidth": 2}, markersize=4)
        left.annotate(f" {examples:,} examples", (counts[-1], values[-1]), size=9, va="center")
    left.axhline(0.5, color="black", linewidth=1)
    left.set(xscale="log", xlabel="candidates, all of them guessing", ylabel="accuracy of the best")
    left.set_xlim(right=counts[-1] * 18)
    left.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    left.minorticks_off()
    left.set_title("The best of many guessers looks skilled", loc="left", size=11)
    for one, other in zip(looked, honest, strict=True):
        right.plot([0, 1], [one, other], color="#c9cdd2", linewidth=1)
    right.plot(np.zeros(len(looked)), looked, "o", color=VAL)
    right.plot(np.ones(len(honest)), honest, "o", color=COLOURS[0])
    right.plot([0, 1], [looked.mean(), honest.mean()], "_", color="black", markersize=36, mew=2.5)
    right.axhline(0.5, color="black", linewidth=1)
    right.annotate("truth", (1.42, 0.503), ha="right", size=9)
    right.set_xticks([0, 1], ["validation of the\nchosen candidate", "nested\nestimate"])
    right.set(xlim=(-0.45, 1.45), ylabel="accuracy")
    right.set_title(f"SVMs on {len(looked)} draws of random labels", loc="left", size=11)
    style_axes(left, right, grid="y")
    return figure
