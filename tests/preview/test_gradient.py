"""Every number of the worked example is that of autograd, and of the published example."""

import re

import pytest
import torch

from dlcourse.introspect.backpropagation import backpropagate


def test_the_default_is_mazurs_example_with_its_published_numbers(shown):
    text, figures = shown("what=gradient")
    assert "= 0.298371\n" in text  # its total error 0.298371109
    for number in ("0.082167", "0.000438568", "0.751365", "0.772928", "0.138499", "0.593270"):
        assert number.rstrip("0") in text  # dE/dw5, dE/dw1, the outputs, delta of o1, out of h1
    drawn = {label.get_text() for axes in figures["gradient"].axes for label in axes.texts}
    assert {"0.593", "0.751", "0.15", "0.0822", "0.000439"} <= drawn


@pytest.mark.parametrize(
    "options",
    [
        ["model.activation=relu", "loss=cross_entropy", "output=identity", "targets=0,1"],
        ["model.activation=gelu", "model.widths=[3,4]", "inputs=1,-2,0.5", "seed=3"],
        ["model.activation=tanh", "output=softplus", "init=he_normal", "targets=0.5"],
        ["model.activation=bipolar_relu", "weights=0.3", "biases=0.1"],
    ],
)
def test_the_gradients_are_those_of_autograd(options, shown):
    text, _ = shown("what=gradient", *options)
    assert float(re.search(r"autograd: (\S+)\.\n", text)[1]) < 1e-15


def test_a_wrong_factor_would_be_found():
    """The control: with a wrong slope the gradients differ from those of autograd."""
    weight = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    point, bias = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.zeros(1).double()

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, sums):
            return sums.tanh()

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    def gradient(function):
        layers, _ = backpropagate([weight], [bias], [function], point, lambda out: out.sum())
        return layers[0].weight_gradient

    assert (gradient(torch.tanh) - gradient(Wrong.apply)).abs().max() > 0.1


def test_ten_sigmoid_layers_multiply_the_gradient_by_a_quarter_each(shown):
    options = ["model.widths=[1]", "depth=9", "inputs=0.5", "weights=1", "biases=-0.5"]
    text, figures = shown("what=gradient", *options, "targets=1")
    assert text.count("    0.25 ") >= 9
    assert f"{0.25**9:.6g}" in text  # 3.8147e-06
    (line,) = figures["gradient"].axes[0].lines
    assert line.get_ydata()[0] / line.get_ydata()[9] == pytest.approx(0.25**9)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["model=lenet"], "only fully connected layers"),
        (["model.norm=batch"], "only fully connected layers"),
        (["model.activation=maxout"], "maxout takes several sums"),
        (["loss=hinge"], "loss=hinge takes a class"),
        (["weights=1,2"], "this network has 8 weights: 4 + 4"),
        (["biases=1,2,3"], "or 2 (one for each layer)"),
        (["model.widths=[100]"], "too many numbers to print"),
        (["inputs=a"], "inputs takes numbers"),
        (["output=rely"], "did you mean relu"),
    ],
)
def test_what_cannot_be_shown_by_hand_gets_one_message(options, named, refused):
    assert named in refused("what=gradient", *options)
