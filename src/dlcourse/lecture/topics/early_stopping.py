"""The validation loss says when to stop; patience says how long to wait."""

from statistics import mean
from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench
from dlcourse.lecture.part_metrics import part_metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("data.examples=60", "max_epochs=2", "seeds=1", "model.widths=[8]")
FULL = ()


def measure(bench: Bench) -> None:
    """Train to the end, compare the best epoch with the last, and stop with several patiences."""
    whole = bench.sweep("experiment=lecture/early_stopping")
    patience = "stop.patience=1" if bench.smoke else "stop.patience=1,2,5,10,20"
    stopped = bench.sweep("experiment=lecture/early_stopping", "stop=patience", patience)
    first = min(whole.runs, key=lambda run: run.config["seed"])
    epochs = first.result["epochs"]
    best = [part_metrics(run, "best") for run in whole.runs]
    last = [part_metrics(run, "last") for run in whole.runs]
    for name, found in {"best": best, "last": last}.items():
        for part in ("train", "val", "test"):
            for metric in ("loss", "accuracy"):
                value = mean(one[part][metric] for one in found)
                bench.number(f"{name}_{part}_{metric}", value)
    bench.number("epochs", epochs)
    bench.number("best_epoch", mean(run.result["best_epoch"] for run in whole.runs))
    waits = {wait: _stopped(stopped.runs, wait) for wait in (1, 2, 5, 10, 20)}
    waits = {wait: one for wait, one in waits.items() if one}
    bench.number("patience", {str(wait): one for wait, one in waits.items()})
    bench.figure("curves", _draw_stopping(first))

    number = bench.numbers
    text = "From the best epoch to the last, the training loss falls to a share of"
    bench.claim(text, number["last_train_loss"] / number["best_train_loss"], at_most=0.3)
    text = "... while the validation loss grows by a factor of"
    bench.claim(text, number["last_val_loss"] / number["best_val_loss"], at_least=1.3)
    text = "The test accuracy at the best epoch is higher than at the last by"
    bench.claim(text, number["best_test_accuracy"] - number["last_test_accuracy"], at_least=0.05)
    if 10 in waits:
        text = "With a patience of 10, the share of the epochs that is trained"
        bench.claim(text, waits[10]["epochs"] / epochs, at_most=0.6)
        text = "... and its test loss, over that of the best epoch of all"
        bench.claim(text, waits[10]["loss"] / number["best_test_loss"], at_most=1.05)


def _stopped(runs: "list[Run]", wait: int) -> dict[str, float]:
    """Return the means over the seeds of the runs with a patience; empty without such runs."""
    found = [run for run in runs if run.config["stop"]["patience"] == wait]
    if not found:
        return {}
    return {
        "epochs": mean(run.result["epochs"] for run in found),
        "best_epoch": mean(run.result["best_epoch"] for run in found),
        "loss": mean(run.result["test"]["loss"] for run in found),
        "accuracy": mean(run.result["test"]["accuracy"] for run in found),
    }


def _draw_stopping(run: "Run") -> "Figure":
    """Draw the losses of a run, its best epoch, and where a patience of 10 would end it."""
    from dlcourse.drawing.style import BEST, MUTED, TRAIN, VAL, empty_figure, style_axes

    figure = empty_figure(7.2, 4.2)
    axes = figure.subplots()
    epochs = [row["epoch"] for row in run.history]
    train = [row["train/loss"] for row in run.history]
    val = [row["val/loss"] for row in run.history]
    best = run.result["best_epoch"]
    lowest = val[best - 1]
    axes.plot(epochs, train, color=TRAIN)
    axes.plot(epochs, val, "--", color=VAL)
    axes.plot(best, lowest, "o", color=BEST, markersize=9, fillstyle="none")
    axes.axvspan(best, min(best + 10, epochs[-1]), color=MUTED, alpha=0.15, linewidth=0)
    end = epochs[-1]
    axes.annotate(
        f"best epoch: {best}", (best, lowest), (0, 12), textcoords="offset points", color=BEST
    )
    axes.annotate(
        "patience of 10",
        (best, 1),
        (2, -2),
        xycoords=("data", "axes fraction"),
        va="top",
        textcoords="offset points",
        color=MUTED,
    )
    axes.annotate(
        "training", (end, train[-1]), (0, 8), textcoords="offset points", ha="right", color=TRAIN
    )
    axes.annotate(
        "validation", (end, val[-1]), (0, 8), textcoords="offset points", ha="right", color=VAL
    )
    axes.set(
        xlabel="epoch", ylabel="loss (cross-entropy)", ylim=(0, 1.15 * max(val)), xlim=(0, end + 1)
    )
    axes.set_title(
        "The training loss falls to the end, the validation loss rises again", loc="left", size=11
    )
    style_axes(axes)
    return figure
