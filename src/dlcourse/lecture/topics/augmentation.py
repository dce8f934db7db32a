"""Changed images in place of missing ones: which changes help, and when."""

from statistics import mean, stdev
from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = (
    "data=digits",
    "max_epochs=1",
    "seeds=1",
    "augment=none,[affine]",
    "data.examples=60",
    "data.test_examples=60",
)
FULL = ()
_NAMES = {"none": "none", "affine": "affine", "noise": "noise", "flip": "mirrored (flip)"}


def measure(bench: Bench) -> None:
    """Train LeNet on few and on more images, with each augmentation."""
    sweep = bench.sweep("experiment=lecture/augmentation")
    accuracy: dict[tuple[str, int], list[float]] = {}
    for run in sweep.runs:
        key = "".join(run.config["augment"]) or "none", run.result["examples"]["train"]
        accuracy.setdefault(key, []).append(run.result["test"]["accuracy"])
    few, many = (f({size for _, size in accuracy}) for f in (min, max))
    table = {
        name: {
            "few": mean(accuracy[name, few]),
            "many": mean(accuracy[name, many]),
            "few_sd": stdev(accuracy[name, few]) if len(accuracy[name, few]) > 1 else 0.0,
            "many_sd": stdev(accuracy[name, many]) if len(accuracy[name, many]) > 1 else 0.0,
        }
        for name in _NAMES
        if (name, few) in accuracy
    }
    bench.number("few", few)
    bench.number("many", many)
    bench.number("table", table)
    bench.number("names", _NAMES)
    augmented = next(run for run in sweep.runs if "affine" in run.config["augment"])
    bench.figure("images", bench.look(augmented, "augmentations", examples=6, draws=4)[0])
    bench.figure("accuracy", _draw_augmentations(table, few, many))

    gain = {size: table["affine"][size] - table["none"][size] for size in ("few", "many")}
    text = "With few images, affine changes raise the test accuracy by"
    bench.claim(text, gain["few"], at_least=0.03)
    bench.claim("With four times as many images, by", gain["many"], at_least=0.015)
    text = "The second gain is smaller than the first by"
    bench.claim(text, gain["few"] - gain["many"], at_least=0.0)
    if "flip" in table:
        text = "Mirroring lowers the test accuracy, with the more images, by"
        bench.claim(text, table["none"]["many"] - table["flip"]["many"], at_least=0.01)
        text = "Noise changes it by less than affine, with few images; the difference"
        bench.claim(text, table["affine"]["few"] - table["noise"]["few"], at_least=0.03)


def _draw_augmentations(table: dict[str, dict[str, float]], few: int, many: int) -> "Figure":
    """Draw the test accuracy of each augmentation for both numbers of images."""
    from dlcourse.drawing.style import COLOURS, FAINT, empty_figure, style_axes

    figure = empty_figure(7.4, 3.8)
    axes = figure.subplots()
    for row, one in enumerate(reversed(table.values())):
        axes.plot([one["few"], one["many"]], [row, row], color=FAINT, linewidth=4, zorder=1)
        for size, colour, mark in (("few", COLOURS[0], "o"), ("many", COLOURS[2], "s")):
            look = {"fmt": mark, "color": colour, "markersize": 8, "capsize": 3}
            axes.errorbar(one[size], row, xerr=one[f"{size}_sd"], **look)
            axes.annotate(
                f"{one[size]:.2f}", (one[size], row), (0, 8), textcoords="offset points",
                ha="center", size=9,
            )  # fmt: skip
    for size, colour, text in (("few", COLOURS[0], few), ("many", COLOURS[2], many)):
        axes.axvline(table["none"][size], color=colour, linewidth=1, linestyle=":", zorder=0)
        axes.annotate(
            f"{text} images", (table["none"][size], 1.0), (0, 2), ha="center",
            xycoords=("data", "axes fraction"), textcoords="offset points", color=colour,
        )  # fmt: skip
    axes.set_yticks(range(len(table)), [_NAMES[name] for name in reversed(table)])
    axes.set(
        xlabel="test accuracy (mean and standard deviation of the seeds)",
        ylim=(-0.5, len(table) - 0.3),
    )
    figure.suptitle(
        "Affine changes help, noise hardly, mirrored digits harm", x=0.02, ha="left", size=11
    )
    style_axes(axes, grid="x")
    return figure
