"""The softmax, its loss, and a linear classifier of digits."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ("max_epochs=1", "data.examples=60")
FULL = ()

_FIRST, _SECOND = (14.0, 11.0, 16.0), (1.2, 5.1, 2.7)
"""The scores of the worked examples; in the first one class 3 is right."""


def measure(bench: Bench) -> None:
    """Compute the worked examples, and train a linear classifier."""
    first = bench.number("first", torch.tensor(_FIRST).softmax(0).tolist())
    bench.number("second", torch.tensor(_SECOND).softmax(0).tolist())
    loss = bench.number("loss", float(-np.log(first[2])))
    bench.number("shifted", (torch.tensor(_FIRST) + 1000).softmax(0).tolist())
    bench.number("overflow", bool(torch.tensor(1014.0).exp().isinf()))
    bench.number("ignorant", float(np.log(10)))

    run = bench.train("experiment=lecture/softmax")
    test, model = run.dataset.test, run.model
    scores = model(test.inputs).detach()  # (N, 10)
    unsure = int((scores.softmax(1).amax(1) - 0.6).abs().argmin())
    one, label = scores[unsure], int(test.targets[unsure])
    bench.number("accuracy", run.result["test"]["accuracy"])
    bench.number("test_loss", run.result["test"]["loss"])
    bench.number("examples", len(test))
    bench.number("parameters", run.result["parameters"])
    bench.number("label", label)
    bench.number("probability", float(one.softmax(0)[label]))
    bench.number("example_loss", float(-one.log_softmax(0)[label]))

    templates = model.network.state_dict()["output.weight"].view(10, *test.inputs.shape[-2:])
    means = torch.stack([test.inputs[test.targets == k].float().mean(0) for k in range(10)])
    own = int((model(means).argmax(1) == torch.arange(10)).sum())
    bench.figure("example", _draw_example(test.inputs[unsure, 0].numpy(), one, label))
    bench.figure("templates", _draw_templates(templates.numpy(), run.result["test"]["accuracy"]))

    bench.claim("-log 0.8756 is above 0", loss, at_least=0.1327, at_most=0.1329)
    bench.claim(
        "The gradient with respect to the scores is p - y: the largest difference from autograd",
        _gradient_difference(one, label),
        at_most=1e-6,
    )
    bench.claim(
        "One template for each class is enough for most digits: test accuracy",
        run.result["test"]["accuracy"],
        at_least=0.9,
    )
    bench.claim(
        "The mean image of a class gets the largest score from its own template: classes",
        own,
        at_least=10,
    )


def _gradient_difference(scores: Tensor, label: int) -> float:
    """Return the largest difference between p - y and the gradient that autograd computes."""
    leaf = scores.clone().requires_grad_()
    functional.cross_entropy(leaf.unsqueeze(0), torch.tensor([label])).backward()
    by_hand = scores.softmax(0) - functional.one_hot(torch.tensor(label), len(scores))
    assert leaf.grad is not None
    return float((leaf.grad - by_hand).abs().max())


def _draw_example(image: np.ndarray, scores: Tensor, label: int) -> "Figure":
    """Draw an image, its ten scores, and the ten probabilities that the softmax makes of them."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(9, 3.1)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.6, 1.6))
    left.imshow(image, cmap="gray_r")
    left.set_axis_off()
    left.set_title(f"a test image of a {label}", size=11)
    loss = float(-scores.log_softmax(0)[label])
    titles = ("scores: any numbers", f"probabilities: sum 1, loss {loss:.2f}")
    for axes, values, title in zip(
        (middle, right), (scores, scores.softmax(0)), titles, strict=True
    ):
        colours = [COLOURS[2] if k == label else COLOURS[0] for k in range(len(values))]
        bars = axes.bar(range(len(values)), values.numpy(), color=colours)
        large = [f"{v:.2f}" if axes is right and v > 0.01 else "" for v in values.tolist()]
        axes.bar_label(bars, large, size=9)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xticks(range(len(values)))
        axes.set_xlabel(f"class (red: the right one, {label})")
        axes.set_title(title, size=11)
        style_axes(axes, grid="y")
    right.set_ylim(0, 1)
    return figure


def _draw_templates(templates: np.ndarray, accuracy: float) -> "Figure":
    """Draw the weights (10, H, W) of the classes as images."""
    from dlcourse.drawing.weights import draw_templates

    title = "Red pixels speak for the class, blue ones against it\n"
    title += f"Ten templates, test accuracy {accuracy:.1%}"
    return draw_templates(templates, [str(number) for number in range(10)], title)
