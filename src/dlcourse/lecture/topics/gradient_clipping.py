"""Clipping the gradient of a network without norms, at low and high learning rates."""

from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ("optim.lr=0.02,2", "max_epochs=1", "data.examples=40")
FULL = ()
_RATES = (0.02, 0.05, 0.2, 0.5, 2)
_NAMES = {
    "none": "no clipping",
    "norm": "norm of all at most 1",
    "agc": "adaptive, unit by unit",
}


def measure(bench: Bench) -> None:
    """Train an NFNet with each kind of clipping at five rates; clip one gradient by hand."""
    sweep = bench.sweep("experiment=lecture/gradient_clipping")
    accuracy: dict[str, dict[float, float | None]] = {name: {} for name in _NAMES.values()}
    losses: dict[str, list[float]] = {}
    for run in sweep.runs:
        name, rate = _NAMES[run.choices["clip"]], run.config["optim"]["lr"]
        accuracy[name][rate] = run.history[-1]["val/accuracy"]
        if rate == 2:
            losses[name] = [row["train/loss"] or float("nan") for row in run.history]
    table = {name: [found.get(rate) or 0.1 for rate in _RATES] for name, found in accuracy.items()}
    bench.number("accuracy", table)
    bench.number("rates", list(_RATES))
    bench.number("losses", losses)
    bench.number("diverged", sum(row["n"] == 0 for row in sweep.rows))
    bench.number("example", _clipped_by_hand())
    bench.figure("rates", _draw_rates(accuracy))

    none, norm, adaptive = table.values()
    bench.claim("Without clipping the rate 0.5 fails: accuracy", none[3], at_most=0.5)
    bench.claim("With a clipped norm 0.5 works", norm[3], at_least=0.85)
    bench.claim("At the rate 2 that fails as well", norm[4], at_most=0.6)
    bench.claim("With adaptive clipping 2 still works", adaptive[4], at_least=0.75)
    text = "At 0.02 adaptive clipping is slower than none: it is behind by"
    bench.claim(text, none[0] - adaptive[0], at_least=0.1)


def _clipped_by_hand() -> dict[str, list[float]]:
    """Return a layer of two units before and after adaptive clipping at 0.01.

    The weights' norms are 5 and 1, the gradients' 0.02 and 0.5.
    """
    import torch
    from torch import nn

    from dlcourse.clip.agc import agc

    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
    layer = net[0]
    assert isinstance(layer, nn.Linear)
    layer.weight.data = torch.tensor([[3.0, 4.0], [0.6, 0.8]])
    layer.weight.grad = torch.tensor([[0.012, 0.016], [0.3, 0.4]])
    before = layer.weight.grad.norm(dim=1).tolist()
    agc(net, clipping=0.01, eps=1e-3)
    return {
        "weights": layer.weight.detach().norm(dim=1).tolist(),
        "before": before,
        "after": layer.weight.grad.norm(dim=1).tolist(),
    }


def _draw_rates(accuracy: dict[str, dict[float, float | None]]) -> "Figure":
    """Draw the validation accuracy over the learning rate."""
    from dlcourse.drawing.accuracy_over import draw_accuracy_over
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(7.6, 3.8)
    axes = figure.subplots()
    draw_accuracy_over(axes, accuracy, _RATES, "learning rate")
    axes.set_title("Each kind of clipping moves the highest rate that works", loc="left", size=11)
    return figure
