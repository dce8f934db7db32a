"""Every activation has the gradient of its formula and a gain that keeps the size of signals."""

import numpy as np
import pytest
import torch

from dlcourse.bounds import ACTIVATIONS as WORDS
from dlcourse.error import UserError
from dlcourse.layer.activation import ACTIVATIONS, activation_layer, centred_gain, gain

X = np.linspace(-4, 4, 41)


def test_the_checks_know_every_activation():
    assert ACTIVATIONS.keys() == set(WORDS)


@pytest.mark.parametrize("name", sorted(set(WORDS) - {"heaviside", "sign"}))
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


@pytest.mark.parametrize("name", WORDS)
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


@pytest.mark.parametrize("name", WORDS)
def test_the_centred_gain_makes_up_for_the_spread_of_an_activation_alone(name):
    z = torch.randn(500_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        spread = activation_layer(name).double().eval()(z).std().item()
    assert centred_gain(name) * spread == pytest.approx(1, rel=5e-3)


def test_the_centred_gains_are_the_published_ones():
    published = {"identity": 1, "relu": 1.7139588594436646, "gelu": 1.7015043497085571}
    published |= {"silu": 1.7881293296813965, "tanh": 1.5939117670059204}
    for name, figure in published.items():
        assert centred_gain(name) == pytest.approx(figure, rel=2e-3)


def test_the_docstring_tells_the_other_gains():
    told = {"tanh": "1.593", "selu": "1.000", "sigmoid": "1.846"}
    for name, figure in told.items():
        assert f"{gain(name):.3f}" == figure
        assert figure in gain.__doc__


def test_an_unknown_activation_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean relu"):
        activation_layer("rellu")
