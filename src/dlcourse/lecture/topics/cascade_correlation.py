"""Cascade-correlation on two spirals: a network that grows, unit by unit."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("max_epochs=1,2",)
FULL = ()
_MLP = (
    "data=spirals", "model=mlp", "model.widths=[20]", "model.activation=tanh", "optim.lr=0.01",
    "batch_size=full", "stop=never", "split.fraction=0", "monitor=train/accuracy",
    "runtime.threads=1",
)  # fmt: skip


def measure(bench: Bench) -> None:
    """Stop the growth at four sizes; train a network of one hidden layer for comparison."""
    sweep = bench.sweep("experiment=lecture/cascade_correlation")
    runs = {_units(run): run for run in sorted(sweep.runs, key=_units)}
    grown = runs[max(runs)]
    mlp = dict.fromkeys(("[20]", "[40,40]"), grown)
    for widths in mlp if not bench.smoke else ():
        mlp[widths] = bench.train(*_MLP, f"model.widths={widths}", "max_epochs=1000")
    curve = [row["train/accuracy"] for row in grown.history]
    test = {units: run.result["test"]["accuracy"] for units, run in runs.items()}
    stages = [
        {
            "units": units,
            "train": run.history[-1]["train/accuracy"],
            "test": test[units],
            "weights": _weights(units),
        }
        for units, run in runs.items()
    ]
    bench.number("stages", stages)
    bench.number("full", next((n for n, value in enumerate(curve) if value == 1), float("nan")))
    found = {
        widths: {
            "train": run.history[-1]["train/accuracy"],
            "test": run.result["test"]["accuracy"],
            "parameters": run.result["parameters"],
        }
        for widths, run in mlp.items()
    }
    bench.number("mlp", found)
    bench.figure("growth", _draw_growth(runs))
    bench.figure("accuracy", _draw_units(curve, found))

    bench.claim("Without a hidden unit the training accuracy is near guessing", curve[0],
                at_most=0.65)  # fmt: skip
    bench.claim("With all units every training point is right", curve[-1], at_least=0.99)
    text = "... and between the training points most test points: test accuracy"
    bench.claim(text, test[max(runs)], at_least=0.85)
    text = "One hidden layer of as many units, 1,000 steps: training accuracy"
    bench.claim(text, found["[20]"]["train"], at_most=0.95)


def _units(run: "Run") -> int:
    """Return the number of hidden units; the first epoch has none."""
    return run.config["max_epochs"] - 1


def _weights(units: int) -> int:
    """Return the number of weights and biases: each unit sees 2 inputs and all earlier units."""
    return sum(2 + before + 1 for before in range(units)) + 2 * (2 + units + 1)


def _draw_growth(runs: "dict[int, Run]") -> "Figure":
    """Draw the probability of one spiral over the plane for each number of units."""
    from dlcourse.drawing.style import DIVERGING, empty_figure

    figure = empty_figure(2.6 * len(runs), 3.0)
    points = next(iter(runs.values())).dataset.train
    inputs, targets = np.asarray(points.inputs), np.asarray(points.targets)
    reach = 1.08 * float(np.abs(inputs).max())
    axis = np.linspace(-reach, reach, 120, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    for axes, (units, run) in zip(
        np.ravel(figure.subplots(1, len(runs))), runs.items(), strict=True
    ):
        shares = run.predict(grid)[:, 1].numpy().reshape(120, 120)
        axes.imshow(shares, extent=(-reach, reach) * 2, origin="lower", cmap=DIVERGING, vmin=0,
                    vmax=1, alpha=0.75)  # fmt: skip
        for one, marker in ((0, "o"), (1, "^")):
            chosen = inputs[targets == one]
            axes.plot(chosen[:, 0], chosen[:, 1], marker, color="black", markersize=2,
                      markerfacecolor="white" if one else "black", markeredgewidth=0.6)  # fmt: skip
        axes.set(xticks=[], yticks=[])
        right = run.history[-1]["train/accuracy"]
        axes.set_title(f"{units} hidden units: {right:.0%} right", size=9)
    figure.suptitle("Each unit adds a bend to the boundary", x=0.01, ha="left", size=11)
    return figure


def _draw_units(curve: list[float], mlp: dict[str, dict[str, float]]) -> "Figure":
    """Draw the training accuracy over the number of units, next to that of fixed networks."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(7.2, 3.4)
    axes = figure.subplots()
    axes.set(ylim=(0.4, 1.02), xlabel="hidden units of the cascade", ylabel="training accuracy")
    units = list(range(len(curve)))
    axes.set_xticks(units[::5])
    lines = {"cascade": (units, curve)}
    for widths, one in mlp.items():
        lines[f"MLP {widths}, 1,000 steps"] = (units, [one["train"]] * len(curve))
    draw_named_lines(axes, lines)
    axes.set_title("Unit by unit to 100 %", loc="left", size=11)
    return figure
