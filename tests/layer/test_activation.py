"""Every activation is its formula, and its gain keeps the size of signals."""

import math

import numpy as np
import pytest
import torch

from dlcourse.bounds import ACTIVATIONS as WORDS
from dlcourse.error import UserError
from dlcourse.layer.activation import ACTIVATIONS, activation_layer, gain

X = np.linspace(-4, 4, 41)
ERF = np.vectorize(math.erf)
SIGMOID = 1 / (1 + np.exp(-X))
FORMULAS = {
    "identity": X,
    "heaviside": np.where(X > 0, 1.0, 0.0),
    "sign": np.sign(X),
    "sigmoid": SIGMOID,
    "tanh": np.tanh(X),
    "arctan": np.arctan(X),
    "relu": np.maximum(X, 0),
    "leaky_relu": np.where(X > 0, X, 0.01 * X),
    "rrelu": np.where(X > 0, X, (1 / 8 + 1 / 3) / 2 * X),  # in use; random in training
    "prelu": np.where(X > 0, X, 0.25 * X),
    "elu": np.where(X > 0, X, np.exp(X) - 1),
    "gelu": X * (1 + ERF(X / np.sqrt(2))) / 2,
    "gelu_tanh": X * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3))) / 2,
    "softplus": np.log(1 + np.exp(X)),
    "softsign": X / (1 + np.abs(X)),
    "isru": X / np.sqrt(1 + X**2),
    "isrlu": np.where(X >= 0, X, X / np.sqrt(1 + X**2)),
    "sqnl": np.where(np.abs(X) > 2, np.sign(X), X - np.sign(X) * X**2 / 4),
    "bipolar_relu": np.maximum(X, 0),  # even units; odd ones below
    "gaussian": np.exp(-(X**2)),
    "saturation": np.clip(X, -1, 1),
    "silu": X * SIGMOID,
    "selu": 1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * (np.exp(X) - 1)),
}


def test_every_activation_has_a_formula_here_and_is_known_to_the_checks():
    assert FORMULAS.keys() == ACTIVATIONS.keys() == set(WORDS)


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_is_its_formula(name):
    layer = activation_layer(name).double().eval()
    outputs = layer(torch.from_numpy(X).unsqueeze(1)).squeeze(1)
    np.testing.assert_allclose(outputs.detach(), FORMULAS[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", sorted(FORMULAS.keys() - {"heaviside", "sign"}))
def test_the_gradient_of_an_activation_is_its_slope(name):
    layer = activation_layer(name).double().eval()
    x = torch.from_numpy(X + 0.013).unsqueeze(1).requires_grad_()  # off every kink
    assert torch.autograd.gradcheck(layer, x)


@pytest.mark.parametrize("name", ["heaviside", "sign"])
def test_a_threshold_passes_the_gradient_straight_through_between_minus_one_and_one(name):
    x = torch.tensor([[-3.0], [-0.5], [0.5], [3.0]], requires_grad=True)
    activation_layer(name)(x).sum().backward()
    assert x.grad.flatten().tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 3, 3)])
def test_bipolar_relu_mirrors_the_odd_units(shape):
    x = torch.randn(shape)
    outputs = activation_layer("bipolar_relu")(x)
    assert torch.equal(outputs[:, ::2], x[:, ::2].clamp(min=0))
    assert torch.equal(outputs[:, 1::2], x[:, 1::2].clamp(max=0))


@pytest.mark.parametrize("name", FORMULAS)
def test_the_gain_makes_up_for_what_the_activation_takes_away(name):
    z = torch.randn(1_000_000, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        size = activation_layer(name).double().eval()(z).square().mean().sqrt().item()
    assert gain(name) * size == pytest.approx(1, rel=5e-3)


@pytest.mark.parametrize(
    ("name", "known"), [("identity", 1), ("relu", 2**0.5), ("leaky_relu", (2 / 1.0001) ** 0.5)]
)
def test_the_gain_is_pytorchs_where_the_papers_derive_it(name, known):
    assert gain(name) == pytest.approx(known, rel=1e-6)
    theirs = torch.nn.init.calculate_gain("linear" if name == "identity" else name)
    assert gain(name) == pytest.approx(theirs, rel=1e-6)


def test_the_docstring_tells_the_other_gains():
    told = {"tanh": "1.593", "selu": "1.000", "sigmoid": "1.846"}
    for name, figure in told.items():
        assert f"{gain(name):.3f}" == figure
        assert figure in gain.__doc__


def test_an_unknown_activation_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean relu"):
        activation_layer("rellu")
