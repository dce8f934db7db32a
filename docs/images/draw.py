"""Draw the plots of the docs from real runs: those of the tutorial.

python docs/images/draw.py <the sweep's folder> <run without augmentation> <run with it>
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
COLORS = {"sgd": "#3d8fdd", "momentum": "#f0a30a", "adam": "#b81d13"}
MARKS = {"sgd": "o", "momentum": "s", "adam": "^"}
COMMAND = "dlcourse sweep model=mlp optim=sgd,momentum,adam optim.lr=0.3,0.1,…,0.001 seeds=3"


def main() -> None:
    """Draw ``sweep.png`` and ``overfitting.png``."""
    sweep, plain, augmented = map(Path, sys.argv[1:])
    plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})
    draw_sweep(read_runs(sweep))
    draw_overfitting(plain, augmented)


def draw_sweep(runs) -> None:
    """Draw validation accuracy by epoch, and by learning rate."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.9), layout="constrained")
    figure.suptitle(COMMAND, family="monospace", fontsize=11)
    draw_curves(left, runs)
    draw_rates(right, runs)
    figure.savefig(HERE / "sweep.png", dpi=110)


def draw_overfitting(plain: Path, augmented: Path) -> None:
    """Draw the losses of two runs by epoch, those of training dashed."""
    figure, axes = plt.subplots(figsize=(7, 3.9), layout="constrained")
    for folder, name, color in (
        (plain, "no augmentation", "#b81d13"),
        (augmented, "augment=[affine]", "#3d8fdd"),
    ):
        lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
        epochs = [line["epoch"] for line in lines]
        for part, style in (("val", "-"), ("train", "--")):
            losses = [line[f"{part}/loss"] for line in lines]
            axes.plot(epochs, losses, color=color, linestyle=style, label=f"{part}, {name}")
    axes.set(xlabel="epoch", ylabel="loss", ylim=(0, 1.2))
    axes.set_title("160 training images", fontsize=11)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(HERE / "overfitting.png", dpi=110)


def read_runs(sweep: Path) -> dict[tuple[str, float], list[list[float]]]:
    """Return the validation accuracies by epoch of every seed, by optimizer and rate."""
    runs: dict[tuple[str, float], list[list[float]]] = {}
    for history in sorted(sweep.glob("*/history.jsonl")):
        name, rate, _ = history.parent.name.split("_")
        key = (name.removeprefix("optim-"), float(rate.removeprefix("lr-")))
        lines = [json.loads(line) for line in history.read_text().splitlines()]
        runs.setdefault(key, []).append([line["val/accuracy"] for line in lines])
    return runs


def draw_curves(axes, runs) -> None:
    """Draw each optimizer at its best rate: the mean over the seeds and their range."""
    for name, color in COLORS.items():
        best = max((key for key in runs if key[0] == name), key=lambda key: mean_best(runs[key]))
        by_epoch = list(zip(*runs[best], strict=True))
        epochs = range(1, len(by_epoch) + 1)
        lows, highs = [min(values) for values in by_epoch], [max(values) for values in by_epoch]
        means = [sum(values) / len(values) for values in by_epoch]
        axes.fill_between(epochs, lows, highs, color=color, alpha=0.15, linewidth=0)
        axes.plot(epochs, means, color=color, marker=MARKS[name], markersize=4,
                  label=f"{name}, lr {best[1]:g}")  # fmt: skip
    axes.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0.8, 1))
    axes.set_title("each optimizer at its best rate (mean and range of 3 seeds)", fontsize=11)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="lower right")


def draw_rates(axes, runs) -> None:
    """Draw the best validation accuracy over the learning rate, every seed a dot."""
    for name, color in COLORS.items():
        rates = sorted(rate for key, rate in runs if key == name)
        means = [mean_best(runs[name, rate]) for rate in rates]
        axes.semilogx(rates, means, color=color, marker=MARKS[name], markersize=6, label=name)
        for rate in rates:
            bests = [max(curve) for curve in runs[name, rate]]
            axes.scatter([rate] * len(bests), bests, s=12, color=color, alpha=0.5, zorder=3)
    axes.set(xlabel="learning rate", ylabel="best validation accuracy", ylim=(0, 1.03))
    axes.set_title("54 runs: which rates work", fontsize=11)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="lower left")


def mean_best(curves: list[list[float]]) -> float:
    """Return the mean over the seeds of the best epoch's value."""
    return sum(max(curve) for curve in curves) / len(curves)


if __name__ == "__main__":
    main()
