"""Few examples, and each regularizer against overfitting to them."""

from collections.abc import Mapping
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from dlcourse.lecture.bench import Bench
from dlcourse.lecture.part_metrics import part_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOKE = (
    "data=digits",
    "data.size=8",
    "data.examples=60",
    "max_epochs=1",
    "seeds=1",
    "model.widths=[8]",
)
FULL = ()
_NAMES = {
    "none": "none",
    "noise": "input noise",
    "dropout": "dropout 0.5",
    "smoothing": "label smoothing 0.1",
    "l2": "L2 (weight decay) 0.01",
    "early": "early stopping",
    "affine": "augmentation (affine)",
}


def measure(bench: Bench) -> None:
    """Train an MLP on 100 images without and with each regularizer."""
    sweep = bench.sweep("experiment=lecture/overfitting")
    found: dict[str, list[dict]] = {name: [] for name in _NAMES}
    for run in sweep.runs:
        name = _regularizer_of(run.config)
        found[name].append(part_metrics(run))
        if name == "none":
            found["early"].append(part_metrics(run, "best"))
    table = {name: _summary(several) for name, several in found.items()}
    for name, one in table.items():
        bench.number(name, one)
    bench.number("examples", sweep.runs[0].result["examples"]["train"])
    bench.number("names", _NAMES)
    bench.figure("regularizers", _draw_regularizers(table))

    none, affine = table["none"], table["affine"]
    bench.claim(
        "The training accuracy without a regularizer", none["train_accuracy"], at_least=0.99
    )
    text = "... is higher than the test accuracy by"
    bench.claim(text, none["train_accuracy"] - none["test_accuracy"], at_least=0.15)
    text = "Augmentation raises the test accuracy by"
    bench.claim(text, affine["test_accuracy"] - none["test_accuracy"], at_least=0.02)
    text = "Augmentation lowers the test loss to a share of"
    bench.claim(text, affine["test_loss"] / none["test_loss"], at_most=0.85)
    bench.claim("L2 lowers it to", table["l2"]["test_loss"] / none["test_loss"], at_most=0.95)
    bench.claim(
        "Early stopping lowers it to", table["early"]["test_loss"] / none["test_loss"], at_most=0.95
    )


def _regularizer_of(config: Mapping[str, Any]) -> str:
    """Return the name of the one regularizer of a run's config."""
    options = {
        "l2": config["optim"]["weight_decay"],
        "dropout": config["model"]["dropout"],
        "smoothing": config["loss"]["label_smoothing"],
        "noise": "noise" in config["augment"],
        "affine": "affine" in config["augment"],
    }
    return next((name for name, used in options.items() if used), "none")


def _summary(several: list[dict]) -> dict[str, float]:
    """Return the mean and standard deviation over the seeds of each part's loss and accuracy."""
    summary = {}
    for part in ("train", "test"):
        for metric in ("loss", "accuracy"):
            values = [one[part][metric] for one in several]
            summary[f"{part}_{metric}"] = mean(values)
            summary[f"{part}_{metric}_sd"] = stdev(values) if len(values) > 1 else 0.0
    return summary


def _draw_regularizers(table: Mapping[str, Mapping[str, float]]) -> "Figure":
    """Draw training and test accuracy, and both losses, in a row for each regularizer."""
    from dlcourse.drawing.style import TRAIN, VAL, empty_figure, style_axes

    figure = empty_figure(9.0, 4.4)
    panels: list[Axes] = list(figure.subplots(1, 2, sharey=True))
    rows = range(len(table))[::-1]
    for axes, metric in zip(panels, ("accuracy", "loss"), strict=True):
        for row, one in zip(rows, table.values(), strict=True):
            train, test = one[f"train_{metric}"], one[f"test_{metric}"]
            axes.plot([train, test], [row, row], color="#c9cdd2", linewidth=4, zorder=1)
            axes.plot(train, row, "o", color=TRAIN, markersize=8)
            spread = one[f"test_{metric}_sd"]
            axes.errorbar(test, row, xerr=spread, fmt="s", color=VAL, markersize=8, capsize=3)
            axes.annotate(
                f"{test:.2f}", (test, row), (0, 7), textcoords="offset points",
                ha="center", size=9,
            )  # fmt: skip
        axes.axvline(table["none"][f"test_{metric}"], color=VAL, linewidth=1, linestyle=":")
        axes.set_xlabel(f"{metric} (mean of the seeds)")
        axes.set_ylim(-0.5, len(table) - 0.4)
        style_axes(axes, grid="x")
    panels[0].set_yticks(list(rows), [_NAMES[name] for name in table])
    handles = [panels[0].lines[1], panels[0].lines[2]]
    figure.legend(
        handles,
        ["training", "test, with its standard deviation"],
        ncols=2,
        frameon=False,
        loc="outside lower center",
    )
    figure.suptitle(
        "Every run fits the training images; the test tells them apart", x=0.02, ha="left", size=11
    )
    return figure
