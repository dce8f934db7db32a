"""Backpropagation number by number: by hand, by autograd and by finite differences."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ()
FULL = ()

_INPUTS, _TARGETS = np.array([0.05, 0.10]), np.array([0.01, 0.99])
_HIDDEN, _OUTPUT = np.array([[0.15, 0.20], [0.25, 0.30]]), np.array([[0.40, 0.45], [0.50, 0.55]])
_BIASES = (0.35, 0.60)
_RATE = 0.5
"""Mazur's example: two inputs, two hidden and two output units with the sigmoid."""

_WIDTHS = (6, 4, 3, 1)


def measure(bench: Bench) -> None:
    """Work through a small network, check a layer, and count the parameters of a larger one."""
    bench.command("show", "what=gradient")
    checked = bench.command("check-gradient").text
    bench.number("checked", checked.strip().splitlines()[-1])

    forward = _forward(_HIDDEN, _OUTPUT)
    exact = _by_hand(_HIDDEN, _OUTPUT)
    bench.number("forward", {name: value.tolist() for name, value in forward.items()})
    bench.number("loss", _loss(_HIDDEN, _OUTPUT))
    bench.number("delta", float(exact[1][0, 0] / forward["h"][0]))
    bench.number("hidden_gradient", exact[0].tolist())
    bench.number("output_gradient", exact[1].tolist())
    stepped = [w - _RATE * g for w, g in zip((_HIDDEN, _OUTPUT), exact, strict=True)]
    bench.number("w5", {"before": float(_OUTPUT[0, 0]), "after": float(stepped[1][0, 0])})
    bench.number("after_one", _loss(stepped[0], stepped[1]))
    bench.number("after_many", _loss(*_descend(100 if bench.smoke else 10_000)))

    automatic = _by_autograd()
    differences = {step: _worst(_by_differences(step), exact) for step in 10.0 ** -np.arange(1, 13)}
    bench.number("differences", {f"{step:.0e}": error for step, error in differences.items()})
    best = min(differences, key=lambda step: differences[step])
    bench.number("best_step", float(best))

    sizes = list(pairwise(_WIDTHS))
    counts = bench.number("counts", [a * b + b for a, b in sizes])
    relu = _relu_network()
    bench.number("relu", relu)

    bench.figure("network", _draw_network())
    bench.figure("differences", _draw_differences(differences))
    bench.claim(
        "The chain rule by hand and autograd: the largest difference",
        _worst(automatic, exact),
        at_most=1e-12,
    )
    bench.claim(
        "Finite differences at their best step: the largest difference",
        differences[best],
        at_most=1e-9,
    )
    bench.claim("After 10,000 steps the loss is near 0", bench.numbers["after_many"], at_most=5e-5)
    bench.claim("The network 6-4-3-1 has 47 parameters", sum(counts), at_least=47, at_most=47)
    bench.claim(
        "ReLU's slope 0 or 1: the difference from finite differences", relu["right"], at_most=1e-7
    )
    bench.claim(
        "ReLU's slope taken as always 1: the difference from them", relu["wrong"], at_least=0.01
    )


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def _forward(hidden: np.ndarray, output: np.ndarray) -> dict[str, np.ndarray]:
    """Return the sums z and the outputs of both layers."""
    z1 = hidden @ _INPUTS + _BIASES[0]
    h = _sigmoid(z1)
    z2 = output @ h + _BIASES[1]
    return {"z1": z1, "h": h, "z2": z2, "y": _sigmoid(z2)}


def _loss(hidden: np.ndarray, output: np.ndarray) -> float:
    """Return half the squared error."""
    return float(((_forward(hidden, output)["y"] - _TARGETS) ** 2).sum() / 2)


def _by_hand(hidden: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return dL/dW of the hidden and of the output layer, by the chain rule."""
    _, h, _, y = _forward(hidden, output).values()
    delta2 = (y - _TARGETS) * y * (1 - y)  # dL/dz of the outputs: the sigmoid's slope is y (1 - y)
    delta1 = (output.T @ delta2) * h * (1 - h)  # dL/dz of the hidden units
    return np.outer(delta1, _INPUTS), np.outer(delta2, h)


def _by_autograd() -> tuple[np.ndarray, ...]:
    """Return the same gradients, computed by PyTorch."""
    hidden, output = (torch.tensor(w, requires_grad=True) for w in (_HIDDEN, _OUTPUT))
    h = torch.sigmoid(hidden @ torch.tensor(_INPUTS) + _BIASES[0])
    y = torch.sigmoid(output @ h + _BIASES[1])
    loss = ((y - torch.tensor(_TARGETS)) ** 2).sum() / 2
    return tuple(one.numpy() for one in torch.autograd.grad(loss, (hidden, output)))


def _by_differences(step: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the same gradients as (L(w + step) - L(w - step)) / (2 step), weight by weight."""
    gradients = (np.zeros_like(_HIDDEN), np.zeros_like(_OUTPUT))
    for layer, gradient in enumerate(gradients):
        for place in np.ndindex(gradient.shape):
            losses = []
            for sign in (1, -1):
                moved = [_HIDDEN.copy(), _OUTPUT.copy()]
                moved[layer][place] += sign * step
                losses.append(_loss(*moved))
            gradient[place] = (losses[0] - losses[1]) / (2 * step)
    return gradients


def _descend(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights after gradient descent; as in the example, the biases stay."""
    hidden, output = _HIDDEN, _OUTPUT
    for _ in range(steps):
        one, two = _by_hand(hidden, output)
        hidden, output = hidden - _RATE * one, output - _RATE * two
    return hidden, output


def _worst(found: tuple[np.ndarray, ...], exact: tuple[np.ndarray, ...]) -> float:
    """Return the largest difference of two lists of gradients."""
    return max(float(np.abs(a - b).max()) for a, b in zip(found, exact, strict=True))


def _relu_network() -> dict:
    """Return the slopes of a 6-4-3-1 network of ReLUs, and what they are worth in the gradient.

    right, wrong: the largest difference of dL/dx from finite differences, with the slopes 0 and 1,
    and with 1 for all.
    """
    random = np.random.default_rng(0)
    weights = [random.normal(size=(b, a)) for a, b in pairwise(_WIDTHS)]
    x = random.normal(size=_WIDTHS[0])

    def output(x: np.ndarray) -> tuple[float, list[np.ndarray]]:
        slopes = []
        for weight in weights[:-1]:
            z = weight @ x
            slopes.append((z > 0).astype(float))
            x = np.maximum(0, z)
        return float((weights[-1] @ x)[0]), slopes

    def gradient(slopes: list[np.ndarray]) -> np.ndarray:
        back = weights[-1][0]
        for weight, slope in zip(weights[-2::-1], slopes[::-1], strict=True):
            back = weight.T @ (back * slope)
        return back

    slopes = output(x)[1]
    moved = 1e-6 * np.eye(len(x))
    numeric = np.array([(output(x + d)[0] - output(x - d)[0]) / 2e-6 for d in moved])
    ones = [np.ones_like(slope) for slope in slopes]
    return {
        "slopes": [slope.astype(int).tolist() for slope in slopes],
        "right": float(np.abs(gradient(slopes) - numeric).max()),
        "wrong": float(np.abs(gradient(ones) - numeric).max()),
    }


def _draw_network() -> "Figure":
    """Draw the example with its numbers forward and its gradients back."""
    from dlcourse.drawing.network import draw_backpropagation

    forward, (one, two) = _forward(_HIDDEN, _OUTPUT), _by_hand(_HIDDEN, _OUTPUT)
    delta1, delta2 = one[:, 0] / _INPUTS[0], two[:, 0] / forward["h"][0]
    values = (_INPUTS, forward["h"], forward["y"])
    return draw_backpropagation(
        [[f"{v:.4f}" for v in layer.tolist()] for layer in values],
        [_HIDDEN, _OUTPUT],
        [["x1", "x2"], *([f"{v:.4f}" for v in layer.tolist()] for layer in (delta1, delta2))],
        [one, two],
        ["inputs", "hidden units", "outputs"],
        f"Every number of one example: L = {_loss(_HIDDEN, _OUTPUT):.4f}",
    )


def _draw_differences(differences: dict[float, float]) -> "Figure":
    """Draw the error of finite differences over their step."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(6.8, 3.6)
    axes = figure.add_subplot(
        xscale="log", yscale="log", xlabel="step h by which a weight is moved",
        ylabel="largest error of dL/dw",
    )  # fmt: skip
    axes.plot(*zip(*differences.items(), strict=True), "o-", color=COLOURS[0], linewidth=2)
    axes.annotate("h too large:\nthe curve bends", (0.12, 2e-11), ha="right", size=10)
    axes.annotate("h too small:\nrounding", (8e-13, 2e-9), size=10)
    axes.set_title("Finite differences are a check, best near h = 1e-5", size=11)
    style_axes(axes)
    return figure
