"""Plain and residual networks of two depths: the degradation problem."""

from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("data.examples=20", "max_epochs=1", "model=plain20,resnet20")
FULL = (
    "data=cifar10", "data.size=32", "data.examples=50000", "data.test_examples=10000",
    "max_epochs=60", "augment=[crop_flip]", "schedule=cosine",
)  # fmt: skip
_NETWORKS = {
    "plain20": "plain, 20 layers",
    "plain56": "plain, 56 layers",
    "resnet20": "residual, 20 layers",
    "resnet56": "residual, 56 layers",
}


def measure(bench: Bench) -> None:
    """Train the four networks with the same options, and compare their training errors."""
    sweep = bench.sweep("experiment=lecture/residual")
    runs = {run.choices["model"]: run for run in sweep.runs}
    bench.figure("errors", _draw_errors(runs))
    if bench.smoke:  # it has two networks
        runs |= {"plain56": runs["plain20"], "resnet56": runs["resnet20"]}
    errors, losses = {}, {}
    for name, run in runs.items():
        errors[name] = 1 - run.history[-1]["train/accuracy"]
        losses[name] = run.history[-1]["train/loss"]
        bench.number(name, {
            "error": errors[name], "loss": losses[name],
            "test_error": 1 - run.result["test"]["accuracy"],
        })  # fmt: skip
    bench.number("epochs", len(runs["plain56"].history))
    images = bench.number("images", runs["plain56"].result["examples"]["train"])
    steps = -(-images // runs["plain56"].config["batch_size"])  # of one epoch
    bench.number("steps", steps * len(runs["plain56"].history))
    bench.claim(
        "The plain network of 56 layers has a higher training error than that of 20: difference",
        errors["plain56"] - errors["plain20"], at_least=0.1,
    )  # fmt: skip
    bench.claim(
        "With skip connections 56 layers are not worse: difference of the training errors",
        errors["resnet56"] - errors["resnet20"], at_most=0.1,
    )  # fmt: skip
    bench.claim(
        "The residual network of 56 layers learns the images", errors["resnet56"], at_most=0.15
    )
    bench.claim(
        "At 56 layers the skip connections decide: training loss, plain over residual",
        losses["plain56"] / losses["resnet56"], at_least=3,
    )  # fmt: skip


def _draw_errors(runs: "Mapping[str, Run]") -> "Figure":
    """Draw the training errors over the epochs: plain networks left, residual ones right."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(9, 3.8)
    panels = figure.subplots(1, 2, sharey=True)
    for name, run in sorted(runs.items()):
        axes = panels[int(name.startswith("resnet"))]
        deep = name.endswith("56")
        epochs = [row["epoch"] for row in run.history]
        errors = [100 * (1 - row["train/accuracy"]) for row in run.history]
        colour = COLOURS[2] if deep else COLOURS[0]
        axes.plot(epochs, errors, "--s" if deep else "-o", color=colour, markersize=4)
        place = 5 * len(epochs) // 10 if name.startswith("plain") else (1 if deep else 0)
        label = _NETWORKS[name].partition(", ")[2]
        axes.annotate(
            label, (epochs[place], errors[place]), color=colour, fontsize=10,
            xytext=(8, 6 if name != "resnet56" else -4), textcoords="offset points",
        )  # fmt: skip
    titles = ("Plain: 56 layers learn worse than 20", "With skip connections they do not")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, size=12)
        axes.set(xlabel="epoch", ylim=(-2, 100))
        axes.xaxis.get_major_locator().set_params(integer=True)
        style_axes(axes)
    panels[0].set_ylabel("training error, %")
    return figure
