"""Training and test error over the number of examples."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KERNEL = ("model=kernel", "model.width=500", "model.gamma=0.005", "optim.ridge=0.1")
SMOKE = ("seeds=1", "data.examples=20,60")
FULL = ()


def measure(bench: Bench) -> None:
    """Fit a linear and a kernel classifier to more and more digits, three draws of each size."""
    curves: dict[str, np.ndarray] = {}  # (sizes, 3): examples, training error, test error
    for name, options in (("linear", ()), ("kernel", KERNEL)):
        sweep = bench.sweep("experiment=lecture/training_set_size", *options)
        found: dict[int, list[list[float]]] = {}
        for run in sweep.runs:
            errors = [1 - run.result[part]["accuracy"] for part in ("train", "test")]
            found.setdefault(run.config["data"]["examples"], []).append(errors)
        curves[name] = np.array([[size, *np.mean(found[size], axis=0)] for size in sorted(found)])
    bench.figure("curves", _draw_learning_curves(curves))
    bench.number("rows", np.column_stack([curves["linear"], curves["kernel"][:, 1:]]).tolist())
    linear, kernel = curves["linear"], curves["kernel"]
    sizes, errors = np.log(kernel[:, [0, 2]].T + 1e-6)  # an error of 0 has no logarithm
    slope = float(np.polyfit(sizes, errors, 1)[0])
    bench.number("slope", slope)
    bench.number("halved", 2**slope)
    bench.claim(
        "More examples lower the test error: linear, smallest size over largest",
        linear[0, 2] / linear[-1, 2],
        at_least=2.5,
    )
    bench.claim(
        "They raise the training error of the linear classifier: by",
        linear[-1, 1] - linear[0, 1],
        at_least=0.03,
    )
    bench.claim(
        "With all examples its test error is near its training error: difference",
        linear[-1, 2] - linear[-1, 1],
        at_most=0.04,
    )
    bench.claim(
        "Its last doubling hardly helps: test error with all over that with about half",
        linear[-1, 2] / linear[-2, 2],
        at_least=0.75,
    )
    bench.claim(
        "The kernel classifier still improves: exponent of its test error over the examples",
        slope,
        at_most=-0.5,
    )
    bench.claim(
        "With all examples it is better: its test error over that of the linear one",
        kernel[-1, 2] / linear[-1, 2],
        at_most=0.5,
    )


def _draw_learning_curves(curves: dict[str, np.ndarray]) -> "Figure":
    """Draw the errors of both classifiers over the number of examples, in two panels."""
    from dlcourse.drawing.style import TRAIN, VAL, empty_figure, style_axes

    figure = empty_figure(9, 4)
    titles = {
        "linear": "Linear: the curves meet, and stay there",
        "kernel": "Kernel features: the test error still falls",
    }
    panels = figure.subplots(1, 2, sharey=True)
    for (name, values), axes in zip(curves.items(), panels, strict=True):
        sizes, train, test = values.T
        axes.fill_between(sizes, 100 * train, 100 * test, color="#eef1f4")
        axes.plot(sizes, 100 * test, "s-", color=VAL, linewidth=2)
        axes.plot(sizes, 100 * train, "o-", color=TRAIN, linewidth=2)
        axes.annotate("test digits", (sizes[1] * 1.1, 100 * test[1] + 0.5), size=11)
        axes.annotate("training digits", (sizes[0], 0.8), size=11)
        axes.set_xscale("log")
        axes.set_xticks([20, 100, 400, 1437], ["20", "100", "400", "1437"])
        axes.minorticks_off()
        axes.set_xlabel("number of training examples")
        axes.set_title(titles[name], loc="left", size=11)
        axes.set_ylim(-0.5, 36)
    panels[0].set_ylabel("error in %")
    style_axes(*panels)
    return figure
