"""Test error over the number of parameters, across the number of examples."""

from collections.abc import Callable, Mapping
from statistics import mean
from typing import TYPE_CHECKING, Any

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run
    from dlcourse.api.sweep import Sweep

SMOKE = ("data.examples=40", "max_epochs=1", "seeds=1")
FULL = ()
_CLASSES = 10


def measure(bench: Bench) -> None:
    """Fit random features of many widths by least squares, then MLPs of many widths."""
    preset = "experiment=lecture/double_descent"
    few_widths = ["model.width=9,39,99"] if bench.smoke else []
    few_networks = ["model.widths=[1],[8]"] if bench.smoke else []
    features = bench.sweep(preset, *few_widths)
    ridge = bench.sweep(preset, "optim.ridge=0.1", *few_widths)
    mlps = bench.sweep("experiment=lecture/double_descent_mlp", *few_networks)
    found = _by_size(features, lambda run: run.config["model"]["width"] + 1)
    damped = _by_size(ridge, lambda run: run.config["model"]["width"] + 1)
    networks = _by_size(mlps, lambda run: run.result["parameters"])
    examples = features.runs[0].result["examples"]["train"]

    peak = max(found, key=lambda size: found[size]["test loss"])
    few = min((size for size in found if size < peak), key=lambda size: found[size]["test loss"])
    most = max(found)
    bench.number("examples", examples)
    bench.number("peak", peak)
    bench.number("few", few)
    bench.number("most", most)
    for name, size in {"peak": peak, "few": few, "most": most}.items():
        bench.number(f"at_{name}", found[size])
    bench.number("ridge_at_peak", damped[peak])
    bench.number("ridge_at_most", damped[most])
    bench.number("mlp", {str(size): one for size, one in networks.items()})
    fitted = min((s for s, one in networks.items() if one["train error"] < 0.005), default=0)
    bench.number("mlp_fits", fitted)
    largest = networks[max(networks)]
    before = [one["test error"] for size, one in networks.items() if size < fitted] or [1.0]
    bench.number("mlp_largest", {"size": max(networks), **largest})
    bench.number("mlp_best_before", min(before))
    bench.figure("features", _draw_features(found, damped, examples))
    bench.figure("mlp", _draw_networks(networks, examples))

    text = "The test loss is largest where a class has as many parameters as there are examples"
    bench.claim(text, peak / examples, at_least=0.99, at_most=1.01)
    text = "The test loss at the peak, over the smallest one before it"
    bench.claim(text, found[peak]["test loss"] / found[few]["test loss"], at_least=20)
    text = "The test loss with ten times as many parameters as examples, over the smallest before"
    bench.claim(text, found[most]["test loss"] / found[few]["test loss"], at_most=1.0)
    text = "The largest training loss from the peak on"
    zero = max(one["train loss"] for size, one in found.items() if size >= peak)
    bench.claim(text, zero, at_most=1e-6)
    text = "A ridge penalty of 0.1 lowers the test loss at the peak by a factor of"
    bench.claim(text, found[peak]["test loss"] / damped[peak]["test loss"], at_least=20)
    text = "The largest MLP's test error, less the smallest of those that do not fit all examples"
    bench.claim(text, largest["test error"] - min(before), at_most=0.02)


def _by_size(sweep: "Sweep", size_of: "Callable[[Run], int]") -> dict[int, dict[str, float]]:
    """Return the means over the seeds of errors and losses by the number of parameters."""
    runs: dict[int, list[Run]] = {}
    for run in sweep.runs:
        runs.setdefault(size_of(run), []).append(run)
    return {
        size: {
            "test loss": mean(run.result["test"]["loss"] for run in runs[size]),
            "test error": mean(1 - run.result["test"]["accuracy"] for run in runs[size]),
            "train loss": mean(run.result["train"]["loss"] for run in runs[size]),
            "train error": mean(1 - run.result["train"]["accuracy"] for run in runs[size]),
        }
        for size in sorted(runs)
    }


def _draw_features(found: Mapping, damped: Mapping, examples: int) -> "Figure":
    """Draw test and training loss, and test error, over the parameters of a class."""
    from dlcourse.drawing.style import COLOURS, TRAIN, VAL, empty_figure

    figure = empty_figure(7.2, 6.2)
    upper, lower = figure.subplots(2, 1, sharex=True)
    sizes = list(found)
    curves: list[tuple[Mapping, str, dict[str, Any]]] = [
        (found, "test", {"color": VAL, "marker": "s"}),
        (damped, "test", {"color": COLOURS[3], "marker": "^", "linestyle": "--"}),
        (found, "train", {"color": TRAIN, "marker": "o"}),
    ]
    for axes, name in ((upper, "loss"), (lower, "error")):
        for table, part, look in curves:
            values = [table[size][f"{part} {name}"] for size in sizes]
            axes.plot(sizes, values, markersize=4, **look)
        _mark_threshold(axes, examples, f"{examples} examples")
    upper.set(yscale="log", ylabel="mean squared error", ylim=(1e-4, None))
    lower.set(xlabel="parameters of each class (random features + 1)", ylabel="share of errors")
    ticks = [10, 50, 100, 200, 400, 800, 2000]
    upper.set_xticks(ticks, [str(tick) for tick in ticks])
    upper.minorticks_off()
    names = ["test, least squares", "test, ridge 0.1", "training, least squares"]
    figure.legend(upper.lines[:3], names, ncols=3, frameon=False, loc="outside lower center")
    title = "The test error peaks where parameters equal examples, and falls again"
    figure.suptitle(title, x=0.02, ha="left", size=11)
    return figure


def _draw_networks(networks: Mapping, examples: int) -> "Figure":
    """Draw the test and training error of the MLPs over the number of their parameters."""
    from dlcourse.drawing.style import TRAIN, VAL, empty_figure

    figure = empty_figure(7.2, 3.8)
    axes = figure.subplots()
    for name, label, colour, marker in (
        ("test", "test", VAL, "s"),
        ("train", "training", TRAIN, "o"),
    ):
        values = [one[f"{name} error"] for one in networks.values()]
        axes.plot(list(networks), values, color=colour, marker=marker, markersize=4, label=label)
    _mark_threshold(axes, examples * _CLASSES, f"{examples} examples x {_CLASSES} classes")
    axes.set(xlabel="parameters of the MLP", ylabel="share of errors", ylim=(0, None))
    axes.legend(frameon=False)
    axes.set_title(
        "An MLP of growing width: the test error falls, without a peak", loc="left", size=11
    )
    return figure


def _mark_threshold(axes: "Axes", place: float, text: str) -> None:
    from dlcourse.drawing.style import BEST, style_axes

    axes.set_xscale("log")
    axes.axvline(place, color=BEST, linewidth=1, linestyle=":", zorder=1)
    axes.annotate(
        text, (place, 1), (4, -2), xycoords=("data", "axes fraction"), va="top",
        textcoords="offset points", color=BEST, size=9,
    )  # fmt: skip
    style_axes(axes)
