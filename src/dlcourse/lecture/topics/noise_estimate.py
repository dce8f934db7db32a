"""The maximum likelihood estimate of the noise, and its bias."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRUE_NOISE, FITTED = 0.5, 5  # standard deviation; four weights and the bias
SMOKE = ("seeds=1", "data.test_examples=50")
FULL = ()


def measure(bench: Bench) -> None:
    """Estimate the noise from data sets of four sizes, then that of a sine with the right curve."""
    sweep = bench.sweep("experiment=lecture/noise_estimate")
    found: dict[int, list[tuple[float, float]]] = {}  # variances on training and test data
    for run in sweep.runs:
        pair = tuple(run.result[part]["noise_std"] ** 2 for part in ("train", "test"))
        found.setdefault(run.config["data"]["train_examples"], []).append(pair)
    sizes = sorted(found)
    variance = TRUE_NOISE**2
    rows = []
    for size in sizes:
        train, test = np.mean(found[size], axis=0)
        expected = variance * (size - FITTED) / size
        rows.append(
            [size, float(train), expected, float(train * size / (size - FITTED)), float(test)]
        )
    bench.number("rows", rows)
    bench.number("data_sets", len(found[sizes[0]]))
    bench.figure("estimates", _draw_estimates({size: np.array(found[size]) for size in sizes}))

    sine = bench.train(
        "data=sine", "data.noise=0.3", "data.train_examples=100", "model=polynomial",
        "model.order=5", "optim=closed_form", "metric=[rmse,noise]", "split.fraction=0",
        "stop=never", "monitor=train/loss", "mode=min",
    )  # fmt: skip
    test = sine.dataset.test
    residuals = (sine.predict(test.inputs) - test.targets).abs()
    inside = float((residuals <= 2 * sine.result["train"]["noise_std"]).double().mean())
    bench.number("inside", inside)
    bench.number("sine", [sine.result["train"]["noise_std"], sine.result["train"]["beta"]])
    bench.figure("band", bench.look(sine, "fit")[0])

    few, many = rows[0], rows[-1]
    bench.claim(
        f"With {few[0]} examples the estimate is too small: over the true variance",
        few[1] / variance,
        at_most=0.7,
    )
    bench.claim(
        f"With {many[0]} examples it is near: over the true variance",
        many[1] / variance,
        at_least=0.85,
        at_most=1.05,
    )
    bench.claim(
        "Divided by N - 5 it is not too small: mean over the sizes, over the true variance",
        float(np.mean([row[3] for row in rows])) / variance,
        at_least=0.85,
        at_most=1.2,
    )
    bench.claim(
        f"With {few[0]} examples the error on new data is larger than the noise: over its variance",
        few[4] / variance,
        at_least=1.2,
    )
    bench.claim(
        "The noise of the sine is found without knowing it: estimate over the true 0.3",
        sine.result["train"]["noise_std"] / 0.3,
        at_least=0.8,
        at_most=1.2,
    )
    bench.claim(
        "Two standard deviations around the curve hold 95 % of new data: measured share",
        inside,
        at_least=0.9,
        at_most=0.98,
    )


def _draw_estimates(found: dict[int, np.ndarray]) -> "Figure":
    """Draw the variances of all data sets (L, 2) by size, with their means and what is expected."""
    from dlcourse.drawing.style import TRAIN, VAL, empty_figure, style_axes

    figure = empty_figure(8, 4.4)
    axes = figure.add_subplot(
        xscale="log", xlabel="number of examples N", ylabel="mean squared residual"
    )
    sizes = np.array(sorted(found))
    smooth = np.geomspace(sizes[0], sizes[-1], 100)
    variance = TRUE_NOISE**2
    axes.axhline(variance, color="black", linestyle=":", label="true variance of the noise, 0.25")
    shrunk = variance * (smooth - FITTED) / smooth
    axes.plot(smooth, shrunk, color=TRAIN, label="expected on training data, 0.25 (N - 5) / N")
    for column, (part, colour, marker) in enumerate((("training", TRAIN, "o"), ("test", VAL, "s"))):
        for size in sizes:
            x = size * (0.97 if column == 0 else 1.03)
            values = found[size][:, column]
            axes.plot([x] * len(values), values, marker, color=colour, markersize=3, alpha=0.5)
        means = [found[size][:, column].mean() for size in sizes]
        axes.plot(
            sizes * (0.97 if column == 0 else 1.03), means, marker, color=colour, markersize=10,
            markeredgecolor="black", label=f"mean of the data sets, {part} data",
        )  # fmt: skip
    axes.set_xticks(sizes, [f"{size}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    axes.set_title("With few examples the residuals are too small", loc="left", size=11)
    axes.legend(frameon=False, fontsize=10)
    style_axes(axes)
    return figure
