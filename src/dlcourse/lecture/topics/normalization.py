"""Batch, layer, instance and group norm: high learning rates, and small batches."""

from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ("model.norm=none,batch", "optim.lr=0.16", "max_epochs=1", "data.examples=40")
FULL = ()
_NET = ("model=mlp", "model.widths=[64]", "init=normal", "init.std=0.05")
_RATES = (0.16, 0.64, 2.56)
_SIZES = {2: 0.02, 4: 0.04, 16: 0.16}  # batch size -> learning rate; 64 has 0.16 as well


def measure(bench: Bench) -> None:
    """Train with each norm at three learning rates, and with small batches."""
    rates = ",".join(map(str, _RATES))
    bench.command("show", "what=init", *_NET, "depth=10", "model.norm=none,batch,layer")
    grid = bench.sweep("experiment=lecture/normalization", f"optim.lr={rates}")
    norms = ("none", "batch", "layer", "instance", "group")
    over_rates: dict[str, dict[float, float | None]] = {norm: {} for norm in norms}
    over_sizes: dict[str, dict[float, float | None]] = {norm: {} for norm in norms}
    for run in grid.runs:
        norm, rate = run.config["model"]["norm"], run.config["optim"]["lr"]
        over_rates[norm][rate] = run.history[-1]["val/accuracy"]
        if rate == _RATES[0]:
            over_sizes[norm][64] = over_rates[norm][rate]
    for size, rate in [*_SIZES.items()][: 1 if bench.smoke else None]:
        small = bench.sweep(
            "experiment=lecture/normalization", f"batch_size={size}", f"optim.lr={rate}"
        )
        for run in small.runs:
            over_sizes[run.config["model"]["norm"]][size] = run.history[-1]["val/accuracy"]
    bench.number(
        "rates", {norm: list(_filled(found, _RATES)) for norm, found in over_rates.items()}
    )
    sizes = (2, 4, 16, 64)
    bench.number("sizes", {norm: list(_filled(found, sizes)) for norm, found in over_sizes.items()})
    variances = {norm: _variances(norm) for norm in ("none", "batch", "layer")}
    bench.number("variances", variances)
    bench.number("two", _two_examples())
    bench.figure("rates", _draw(over_rates, _RATES, "learning rate (64 examples in a step)",
                 "Batch norm trains at rates at which the others fail"))  # fmt: skip
    bench.figure("sizes", _draw(over_sizes, sizes, "examples in a step",
                 "Two examples in a step are too few for batch norm"))  # fmt: skip

    last, first = variances["none"][-1], variances["none"][0]
    text = "Weights of σ = 0.05, no norm: the variance of layer 10 is a fraction of that of layer 1"
    bench.claim(text, last / first, at_most=1e-6)
    text = "Batch norm: from layer 2 on it is the same, up to a factor of"
    bench.claim(text, max(variances["batch"][1:]) / min(variances["batch"][1:]), at_most=3)
    high = {norm: found.get(_RATES[-1]) or 0.1 for norm, found in over_rates.items()}
    text = "At the rate 2.56, batch norm's validation accuracy"
    bench.claim(text, high["batch"], at_least=0.9)
    bench.claim(
        "... and that without a norm (0.1 stands for a run that diverged)",
        high["none"],
        at_most=0.5,
    )
    two = {norm: found.get(2) or 0.1 for norm, found in over_sizes.items()}
    bench.claim("With 2 examples in a step, batch norm's", two["batch"], at_most=0.92)
    worst = min(two[norm] for norm in ("layer", "group"))
    bench.claim("... and the worse one of layer and group norm", worst, at_least=0.94)
    text = "With 64 examples in a step batch norm works: its accuracy"
    bench.claim(text, over_sizes["batch"].get(64) or 0.1, at_least=0.95)


def _filled(found: dict[float, float | None], places: tuple) -> list[float]:
    """Return the accuracies; 0.1, that of guessing, for a run that diverged."""
    return [found.get(place) or 0.1 for place in places]


def _variances(norm: str) -> list[float]:
    """Return the variance of the outputs of ten linear layers, as ``show what=init`` measures."""
    from dlcourse.preview.init import deepened, signals_of
    from dlcourse.preview.variants import variants_of

    (run,) = variants_of([*_NET, f"model.norm={norm}"], "a plot", 1)
    layers = signals_of(deepened(run, 10).config, 256, normal=False)
    return [layer.variance for layer in layers[:10]]


def _two_examples() -> list[float]:
    """Return what batch norm makes of one unit's values 3 and 5, a batch of two examples."""
    import torch

    values = torch.tensor([[3.0], [5.0]])
    return torch.nn.BatchNorm1d(1)(values).flatten().tolist()


def _draw(found: dict, places: tuple, label: str, title: str) -> "Figure":
    """Draw the validation accuracy of each norm."""
    from dlcourse.drawing.accuracy_over import draw_accuracy_over
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(7.2, 3.6)
    axes = figure.subplots()
    draw_accuracy_over(axes, found, places, label)
    axes.set_title(title, loc="left", size=11)
    return figure
