"""Every activation has the right gradient, and a gain that keeps the variance of signals."""

import numpy as np
import pytest
import torch

from dlcourse.errors import UserError
from dlcourse.layer.activation import ACTIVATIONS, activation_layer, centred_gain, gain, pieces
from dlcourse.schema.bounds import ACTIVATION, ACTIVATION_NAMES
from dlcourse.schema.validate import check_key

X = np.linspace(-4, 4, 41)
WITH_NUMBERS = ["leaky_relu:0.2", "elu:0.3", "rrelu:0.1:0.3", "saturation:2", "maxout:3"]


def test_the_checks_know_every_activation():
    assert ACTIVATIONS.keys() == set(ACTIVATION_NAMES)


@pytest.mark.parametrize("name", sorted(set(ACTIVATION_NAMES) - {"heaviside", "sign"}))
def test_the_gradient_of_an_activation_equals_finite_differences(name):
    layer = activation_layer(name).double().eval()
    x = torch.from_numpy(X + 0.013).unsqueeze(1)  # away from every kink
    x = (x * torch.arange(1, 1 + pieces(name))).requires_grad_()
    assert torch.autograd.gradcheck(layer, x)


@pytest.mark.parametrize("name", ["heaviside", "sign"])
def test_a_threshold_has_a_straight_through_gradient_between_minus_1_and_1(name):
    x = torch.tensor([[-3.0], [-0.5], [0.5], [3.0]], requires_grad=True)
    activation_layer(name)(x).sum().backward()
    assert x.grad.flatten().tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 3, 3)])
def test_bipolar_relu_is_min_with_0_for_odd_units(shape):
    x = torch.randn(shape)
    outputs = activation_layer("bipolar_relu")(x)
    assert torch.equal(outputs[:, ::2], x[:, ::2].clamp(min=0))
    assert torch.equal(outputs[:, 1::2], x[:, 1::2].clamp(max=0))


@pytest.mark.parametrize("name", [*ACTIVATION_NAMES, *WITH_NUMBERS])
def test_the_gain_keeps_the_mean_square_of_standard_normal_inputs(name):
    z = standard_normal(1_000_000, pieces(name))
    with torch.no_grad():
        size = activation_layer(name).double().eval()(z).square().mean().sqrt().item()
    assert gain(name) * size == pytest.approx(1, rel=5e-3)


def standard_normal(rows: int, columns: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, columns, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize(
    ("name", "known"), [("identity", 1), ("relu", 2**0.5), ("leaky_relu", (2 / 1.0001) ** 0.5)]
)
def test_the_gain_equals_pytorchs_where_a_paper_derives_it(name, known):
    assert gain(name) == pytest.approx(known, rel=1e-6)
    theirs = torch.nn.init.calculate_gain("linear" if name == "identity" else name)
    assert gain(name) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("name", ACTIVATION_NAMES)
def test_the_centred_gain_keeps_the_standard_deviation_of_standard_normal_inputs(name):
    z = standard_normal(500_000, 2 * pieces(name))
    with torch.no_grad():
        spread = activation_layer(name).double().eval()(z).std().item()
    assert centred_gain(name) * spread == pytest.approx(1, rel=5e-3)


def test_the_centred_gains_are_the_published_ones():
    published = {"identity": 1, "relu": 1.7139588594436646, "gelu": 1.7015043497085571}
    published |= {"silu": 1.7881293296813965, "tanh": 1.5939117670059204}
    for name, value in published.items():
        assert centred_gain(name) == pytest.approx(value, rel=2e-3)


def test_the_gains_stated_in_the_docstring_are_right():
    stated = {"tanh": "1.593", "selu": "1.000", "sigmoid": "1.846"}
    for name, value in stated.items():
        assert f"{gain(name):.3f}" == value
        assert value in gain.__doc__


def test_an_unknown_activation_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean relu"):
        activation_layer("rellu")


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.3])
def test_the_gain_of_leaky_relu_follows_its_slope(slope):
    """He et al. 2015, section 2.2: sqrt(2 / (1 + a^2))."""
    assert gain(f"leaky_relu:{slope}") == pytest.approx((2 / (1 + slope**2)) ** 0.5, rel=1e-6)
    assert gain(f"prelu:{slope}") == pytest.approx(gain(f"leaky_relu:{slope}"), rel=1e-6)


@pytest.mark.parametrize("shape", [(2, 12), (2, 12, 3, 3)])
def test_maxout_is_the_maximum_of_the_pieces_and_passes_the_gradient_to_it(shape):
    inputs = torch.randn(shape, requires_grad=True)
    outputs = activation_layer("maxout:3")(inputs)
    parts = torch.stack(inputs.chunk(3, dim=1))
    assert torch.equal(outputs, torch.maximum(torch.maximum(parts[0], parts[1]), parts[2]))
    outputs.sum().backward()
    chosen = torch.stack(inputs.grad.chunk(3, dim=1))
    assert torch.equal(chosen, (parts == outputs).float())


@pytest.mark.parametrize("name", ACTIVATION.numbers)
def test_the_example_of_every_activation_with_numbers_is_allowed_and_has_an_effect(name):
    example = ACTIVATION.closer(f"{name}:").example
    assert example != name
    assert ACTIVATION.allows(example)
    z = torch.linspace(-4, 4, 10).repeat_interleave(2 * pieces(example)).view(10, -1)
    layers = [activation_layer(text).eval() for text in (example, name)]
    same = [torch.equal(layers[0](z), layers[1](z))] if pieces(example) == 1 else [False]
    assert not any(same), "its numbers change nothing"


WRONG = (
    "leaky_relu:1.5", "leaky_relu:-0.1", "leaky_relu:", "leaky_relu:x", "leaky_relu:0.1:0.2",
    "leaky_relu:nan", "elu:0", "rrelu:0.3:0.1", "rrelu:0.1", "maxout:1", "maxout:2.5",
    "maxout:true", "tanh:2", "relu:1", "reluu:1",
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_numbers_that_an_activation_does_not_take_are_refused_with_one_message(wrong):
    name = wrong.split(":")[0]
    with pytest.raises(UserError) as caught:
        check_key("model.activation", wrong)
    message = str(caught.value)
    assert f"model.activation={wrong} is not allowed" in message
    assert name not in ACTIVATION.numbers or f"{name}[:<" in message
    typed = message.split("model.activation=")[-1]
    assert ACTIVATION.allows(typed)
    assert typed.split(":")[0] == name or name not in ACTIVATION_NAMES


@pytest.mark.parametrize("wrong", ["relu:1", "elu:x", "rrelu:0.1", "selu:1", "identity:2"])
def test_a_layer_refuses_numbers_that_it_does_not_take(wrong):
    with pytest.raises(UserError, match=f"activation={wrong} is not allowed"):
        activation_layer(wrong)
