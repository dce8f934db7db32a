"""The receptive field: the pixels that a unit can see, and those that it really uses."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

import dlcourse
from dlcourse.engine.instantiate import build
from dlcourse.introspect.receptive_field import Window, receptive_field
from dlcourse.introspect.summary import summarize_model
from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ()
FULL = ()
_DEPTHS = (1, 2, 3, 5, 7, 10, 14, 20)
_DILATIONS = {
    "three 3 x 3": (1, 1, 1),
    "dilation 2, 2, 2": (2, 2, 2),
    "dilation 1, 2, 4": (1, 2, 4),
}
_NETWORKS = ("lenet", "vgg11", "resnet20", "resnet56")
_SIDE, _MAPS = 45, 8  # of the images, and of each layer


def measure(bench: Bench) -> None:
    """Compute the field of networks layer by layer; measure it by the gradient of a centre unit."""
    bench.command("shapes", "model=lenet", "data.size=32")
    fields = {name: _field_by_layer(name) for name in _NETWORKS}
    for name, found in fields.items():
        bench.number(name, {"layers": len(found), "field": found[-1]})

    depths, draws = (_DEPTHS[:4], 1) if bench.smoke else (_DEPTHS, 24)
    powers = {depth: _squared_gradient((1,) * depth, draws) for depth in depths}
    theory = {depth: receptive_field([Window(3)] * depth).size for depth in depths}
    widths = {depth: _width(power) for depth, power in powers.items()}
    last = depths[-1]
    bench.number("depth", last)
    bench.number("deepest", {"theory": theory[last], "measured": widths[last]})
    bench.number("first", {"theory": theory[depths[0]], "measured": widths[depths[0]]})
    outside = 1 - _share_within(powers[last], theory[last])
    bench.number("half", _share_within(powers[last], theory[last] // 2))
    growth = np.polyfit(np.log(depths[1:]), np.log([widths[one] for one in depths[1:]]), 1)[0]
    bench.number("growth", float(growth))
    bench.figure("depth", _draw_depth(theory, widths, powers))

    dilated = {name: _squared_gradient(rates, draws) for name, rates in _DILATIONS.items()}
    reached = {name: float((power > 0).float().sum()) for name, power in dilated.items()}
    sizes = {
        name: receptive_field([Window(3, dilation=rate) for rate in rates]).size
        for name, rates in _DILATIONS.items()
    }
    bench.number("sizes", sizes)
    bench.number("reached", {name: count / sizes[name] ** 2 for name, count in reached.items()})
    bench.figure("dilation", _draw_dilation(dilated, sizes))

    bench.claim("No gradient is outside the computed field: its share", outside, at_most=1e-6)
    bench.claim(
        f"With {last} layers the measured width is near its theory, 4 sqrt(2 layers / 3): ratio",
        widths[last] / (4 * (2 * last / 3) ** 0.5), at_least=0.8, at_most=1.2,
    )  # fmt: skip
    bench.claim(
        "The computed field grows with the depth, the measured one with its root: exponent",
        float(growth), at_least=0.35, at_most=0.65,
    )  # fmt: skip
    bench.claim(
        f"With {last} layers the measured side is less than half of the computed one: ratio",
        widths[last] / theory[last], at_most=0.5,
    )  # fmt: skip
    bench.claim(
        "Dilation 2 in every layer reaches less than a third of the pixels in its field: share",
        bench.numbers["reached"]["dilation 2, 2, 2"], at_most=0.35,
    )  # fmt: skip
    bench.claim(
        "Dilations 1, 2, 4 reach all pixels in theirs: share",
        bench.numbers["reached"]["dilation 1, 2, 4"], at_least=0.999,
    )  # fmt: skip


def _field_by_layer(name: str) -> list[int]:
    """Return the side in pixels of the field after each convolution and pooling of a network."""
    config = dlcourse.compose(f"model={name}", "data.size=32")
    summary = summarize_model(lambda: build(config["model"])((3, 32, 32), 10), (3, 32, 32))
    layers = [layer for layer in summary.layers if "Conv" in layer.kind or "Pool" in layer.kind]
    return [layer.seen[0].size for layer in layers if layer.seen is not None]


def _squared_gradient(dilations: tuple[int, ...], draws: int) -> Tensor:
    """Return the squared gradient (_SIDE, _SIDE) of a centre unit by the pixels.

    Its mean over random networks of 3 x 3 convolutions with these dilations, and random images.
    """
    total = torch.zeros(_SIDE, _SIDE)
    for seed in range(draws):
        torch.manual_seed(seed)
        layers = []
        for number, rate in enumerate(dilations):
            inputs = _MAPS if number else 1
            layer = nn.Conv2d(inputs, _MAPS, 3, padding=rate, dilation=rate, bias=False)
            nn.init.kaiming_normal_(layer.weight)
            layers += [layer, nn.ReLU()]
        images = torch.randn(8, 1, _SIDE, _SIDE, requires_grad=True)
        maps = nn.Sequential(*layers[:-1])(images)  # (8, _MAPS, _SIDE, _SIDE)
        maps[:, 0, _SIDE // 2, _SIDE // 2].sum().backward()
        assert images.grad is not None
        power = images.grad.square().mean((0, 1))
        total += power / power.sum()
    return total / draws


def _width(power: Tensor) -> float:
    """Return four standard deviations of a distribution (_SIDE, _SIDE) along a side, in pixels.

    In a Gaussian they hold 95 % of it.
    """
    place = torch.arange(_SIDE) - _SIDE // 2
    return 4 * float(((power.sum(0) + power.sum(1)) / 2 @ place.square().float()).sqrt())


def _share_within(power: Tensor, side: int) -> float:
    """Return the share of a distribution within a square in the middle."""
    start = (_SIDE - side) // 2
    return float(power[start : start + side, start : start + side].sum())


def _draw_depth(
    theory: dict[int, int], widths: dict[int, float], powers: dict[int, Tensor]
) -> "Figure":
    """Draw both sides over the depth, and where the gradient of two depths is."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(9.4, 3.4)
    left, *right = figure.subplots(1, 3, width_ratios=[1.35, 1, 1])
    left.plot(list(theory), list(theory.values()), "-o", color=COLOURS[0])
    left.plot(list(widths), list(widths.values()), "--s", color=COLOURS[2])
    last = max(theory)
    left.text(0.62 * last, 0.82 * theory[last], "computed", color=COLOURS[0], ha="right", size=10)
    left.text(last, widths[last] * 1.25, "measured", color=COLOURS[2], ha="right", size=10)
    left.set(xlabel="layers of 3 x 3", ylabel="side of the field, pixels", ylim=(0, None))
    left.set_title("A unit could see the square,\nbut uses its centre", size=11)
    style_axes(left)
    for axes, depth in zip(right, (sorted(theory)[len(theory) // 2], last), strict=True):
        _show_field(axes, powers[depth], theory[depth])
        axes.set_title(f"{depth} layers: {theory[depth]} x {theory[depth]}", size=11)
    return figure


def _draw_dilation(dilated: dict[str, Tensor], sizes: dict[str, int]) -> "Figure":
    """Draw where the gradient is for each choice of dilations."""
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(9, 3.5)
    figure.suptitle("Three layers of 3 x 3: the pixels that a unit sees (darker: more)", size=12)
    for axes, (name, power) in zip(figure.subplots(1, len(dilated)), dilated.items(), strict=True):
        _show_field(axes, power, sizes[name], 19)
        axes.set_title(f"{name}\nfield {sizes[name]} x {sizes[name]}", size=11)
    return figure


def _show_field(axes, power: Tensor, size: int, around: int = _SIDE) -> None:
    """Show the root of a squared gradient, and the computed field as a square around it."""
    from matplotlib.patches import Rectangle

    from dlcourse.drawing.style import COLOURS

    start = (_SIDE - around) // 2
    shown = power[start : start + around, start : start + around].sqrt().numpy()
    axes.imshow(shown, cmap="Greys", interpolation="nearest")
    corner = (around - size) / 2 - 0.5
    axes.add_patch(Rectangle((corner, corner), size, size, fill=False, ec=COLOURS[0], lw=2))
    axes.set(xticks=[], yticks=[])
