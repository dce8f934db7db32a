"""A network fits labels that were drawn at random."""

from collections.abc import Mapping
from statistics import mean
from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = (
    "data.examples=60",
    "max_epochs=2",
    "seeds=1",
    "model.widths=[8]",
    "data.random_labels=0,0.4,1",
)
FULL = ()


def measure(bench: Bench) -> None:
    """Train on labels of which a growing share is random."""
    sweep = bench.sweep("experiment=lecture/random_labels")
    runs: dict[float, list[Run]] = {}
    for run in sweep.runs:
        runs.setdefault(float(run.config["data"]["random_labels"]), []).append(run)
    found = {share: _fitted(runs[share]) for share in sorted(runs)}
    first = runs[0.0][0].result
    bench.number("parameters", first["parameters"])
    bench.number("examples", first["examples"]["train"])
    bench.number("shares", {f"{share:g}": one for share, one in found.items()})
    bench.figure("labels", _draw_random_labels(found))

    true, random = found[0.0], found[1.0]
    text = "With labels that are all random, the training accuracy is"
    bench.claim(text, random["train"], at_least=0.98)
    bench.claim("... and the test accuracy, where guessing gives 0.1", random["test"], at_most=0.2)
    bench.claim("With true labels the test accuracy is", true["test"], at_least=0.85)
    text = "Random labels need more epochs than true ones to be fitted, by a factor of"
    bench.claim(text, random["epochs"] / true["epochs"], at_least=2)
    falls = [
        found[a]["test"] - found[b]["test"] for a, b in zip(found, list(found)[1:], strict=False)
    ]
    text = "The smallest fall of the test accuracy from one share of random labels to the next"
    bench.claim(text, min(falls), at_least=0.02)


def _fitted(runs: "list[Run]") -> dict:
    """Return the means over the seeds: accuracies, and the epochs until 99 % are fitted."""
    histories = [[row["train/accuracy"] for row in run.history] for run in runs]
    epochs = [next((n for n, a in enumerate(one, 1) if a >= 0.99), len(one)) for one in histories]
    return {
        "train": mean(run.result["train"]["accuracy"] for run in runs),
        "test": mean(run.result["test"]["accuracy"] for run in runs),
        "epochs": mean(epochs),
        "curve": [mean(values) for values in zip(*histories, strict=True)],
    }


def _draw_random_labels(found: Mapping[float, dict]) -> "Figure":
    """Draw the training accuracy over the epochs, and the accuracies over the share."""
    from matplotlib import colormaps

    from dlcourse.drawing.style import MUTED, TRAIN, VAL, empty_figure, style_axes

    figure = empty_figure(9.0, 4.0)
    left, right = figure.subplots(1, 2, sharey=True)
    for share, one in found.items():
        colour = colormaps["viridis"](0.85 * (1 - share))
        epochs = range(1, len(one["curve"]) + 1)
        left.plot(epochs, one["curve"], color=colour, label=f"{share:.0%} random")
    left.set(xscale="log", xlabel="epoch", ylabel="accuracy", ylim=(0, 1.03))
    left.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    left.minorticks_off()
    left.set_title("Training: every labelling is fitted, random ones later", loc="left", size=10)
    left.legend(frameon=False, fontsize=9, loc="lower right")
    shares = [100 * share for share in found]
    right.plot(shares, [one["train"] for one in found.values()], "o-", color=TRAIN)
    right.plot(shares, [one["test"] for one in found.values()], "s--", color=VAL)
    right.axhline(0.1, color=MUTED, linewidth=1, linestyle=":")
    right.text(2, 0.12, "guessing", color=MUTED, size=9)
    right.text(60, 0.94, "training", color=TRAIN, size=10, va="top")
    right.text(60, 0.56, "test", color=VAL, size=10)
    right.set_xlabel("random training labels (%)")
    right.set_title("Test: the true labels are what is learned", loc="left", size=10)
    style_axes(left, right)
    return figure
