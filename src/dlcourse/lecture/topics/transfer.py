"""Few digits: LeNet-5 from scratch, and after it has learned MNIST or Fashion-MNIST."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.sweep import Sweep

SMOKE = ("data=digits", "data.examples=60", "data.test_examples=100", "max_epochs=1", "data.seed=0")
FULL = ()

SOURCE_RUN = ("data.examples=6000", "data.test_examples=1000", "model=lenet", "optim.lr=0.002")
KNOWN_BEFORE = {
    "from scratch": (),
    "MNIST, all weights trained": ("mnist",),
    "MNIST, convolutions frozen": ("mnist", "optim.freeze=[features.*]"),
    "Fashion-MNIST, all weights trained": ("fashion_mnist",),
}
"""The starts of the network: what it has learned before, and what stays as it was."""


def measure(bench: Bench) -> None:
    """Train on two large data sets; then on few digits from each of the starts."""
    long = "max_epochs=8", "stop=never", "runtime.threads=1"
    sources = {name: bench.train(f"data={name}", *SOURCE_RUN, *long) for name in
               ("mnist", "fashion_mnist")}  # fmt: skip
    accuracy: dict[str, dict[int, list[float]]] = {}
    for start, (source, *frozen) in ((key, one or ("",)) for key, one in KNOWN_BEFORE.items()):
        begin = ["init=from_run", f"init.run={sources[source].folder}"] if source else []
        sweep = bench.sweep("experiment=lecture/transfer", *begin, *frozen)
        accuracy[start] = accuracy_by_size(sweep)
    bench.figure("transfer", _draw_transfer(accuracy))
    mean = {start: [float(np.mean(one)) for one in by.values()] for start, by in accuracy.items()}
    bench.number("starts", mean)
    bench.number("sizes", list(accuracy["from scratch"]))
    bench.number("sources", {name: run.result["test"]["accuracy"] for name, run in sources.items()})
    scratch, mnist, frozen, fashion = (np.array(mean[start]) for start in KNOWN_BEFORE)
    bench.number("gain", (mnist - scratch).tolist())
    bench.number("fashion_gain", (fashion - scratch).tolist())

    bench.claim(
        "With the fewest digits, a start from MNIST gains accuracy over one from scratch",
        mnist[0] - scratch[0],
        at_least=0.05,
    )
    bench.claim(
        "The gain shrinks as the number of digits grows: first gain minus last gain",
        (mnist - scratch)[0] - (mnist - scratch)[-1],
        at_least=0.02,
    )
    bench.claim(
        "MNIST, which is near to the task, helps more than Fashion-MNIST: mean difference",
        (mnist - fashion).mean(),
        at_least=0.03,
    )


def accuracy_by_size(sweep: "Sweep") -> dict[int, list[float]]:
    """Return the test accuracies of all choices of examples by their number, in rising order."""
    found: dict[int, list[float]] = {}
    for run in sweep.runs:
        number = run.config["data"]["examples"]
        found.setdefault(number, []).append(run.result["test"]["accuracy"])
    return dict(sorted(found.items()))


def _draw_transfer(accuracy: dict[str, dict[int, list[float]]]) -> "Figure":
    """Draw the accuracy over the number of examples, a line for each start, a dot for each run."""
    from dlcourse.drawing.style import empty_figure, line_look, style_axes

    figure = empty_figure(7.5, 4.2)
    axes = figure.add_subplot(xlabel="number of training examples (digits)", xscale="log",
                              ylabel="test accuracy")  # fmt: skip
    for number, (start, by_size) in enumerate(accuracy.items()):
        sizes, look = list(by_size), line_look(number)
        axes.plot(sizes, [np.mean(one) for one in by_size.values()], linewidth=2, label=start,
                  **look)  # fmt: skip
        for size, several in by_size.items():
            axes.scatter([size] * len(several), several, s=14, color=look["color"])
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower right")
    axes.set_title("A network that knows MNIST needs fewer digits", size=11)
    style_axes(axes)
    return figure
