"""Properties of initial weights; their distributions are in ``tests/references/init.py``."""

import math

import pytest
import torch
from conftest import options
from torch import nn

from dlcourse.engine.instantiate import build
from dlcourse.init.he_truncated import KEPT
from dlcourse.layer.activation import gain

FAN_IN, FAN_OUT = 300, 200
OTHERS = (  # initializers that do not set the biases of linear layers to 0
    "default", "from_run", "from_file", "dirac", "whitening",
)  # fmt: skip


def drawn(compose, name, layer, *more):
    torch.manual_seed(0)
    build(compose(f"init={name}", *more)["init"])(layer)
    return layer


@pytest.mark.parametrize("name", [name for name in options("init") if name not in OTHERS])
def test_biases_are_zero(name, compose):
    assert drawn(compose, name, nn.Linear(FAN_IN, FAN_OUT)).bias.abs().max() == 0


@pytest.mark.parametrize("name", ["xavier_uniform", "he_uniform", "lecun_uniform"])
def test_a_uniform_initializer_fills_its_range_and_stays_within_it(name, compose):
    weight = drawn(compose, name, nn.Linear(FAN_IN, FAN_OUT)).weight.detach()
    limit = math.sqrt({
        "xavier_uniform": 6 / (FAN_IN + FAN_OUT), "he_uniform": 6 / FAN_IN,
        "lecun_uniform": 3 / FAN_IN,
    }[name])  # fmt: skip
    assert limit * 0.99 < weight.abs().max() <= limit


@pytest.mark.parametrize(("low", "high"), [(-0.05, 0.05), (0.0, 2.0), (-3.0, -1.0)])
def test_uniform_weights_fill_their_range(low, high, compose):
    overrides = (f"init.low={low}", f"init.high={high}")
    weight = drawn(compose, "uniform", nn.Linear(FAN_IN, FAN_OUT), *overrides).weight.detach()
    room = 1e-3 * (high - low)
    assert low <= weight.min() < low + room
    assert high - room < weight.max() <= high
    assert weight.mean().item() == pytest.approx((low + high) / 2, abs=10 * room)


def test_a_truncated_normal_has_no_weight_beyond_two_standard_deviations(compose):
    weight = drawn(compose, "he_truncated", nn.Linear(FAN_IN, FAN_OUT)).weight.detach()
    limit = 2 * math.sqrt(2 / FAN_IN) / 0.87962566  # the constant of Keras
    assert pytest.approx(0.87962566, abs=1e-8) == KEPT
    assert limit * 0.99 < weight.abs().max() <= limit * (1 + 1e-6)
    whole = drawn(compose, "he_normal", nn.Linear(FAN_IN, FAN_OUT)).weight.detach()
    assert whole.abs().max() > limit * 1.3


def test_the_gain_is_that_of_the_models_activation(compose):
    for name in ("he_normal", "he_truncated"):
        layer = drawn(compose, name, nn.Linear(FAN_IN, FAN_OUT), "model.activation=tanh")
        assert layer.weight.var().item() == pytest.approx(gain("tanh") ** 2 / FAN_IN, rel=0.03)


def test_a_model_without_an_activation_has_the_gain_of_relu(compose):
    assert compose("init=he_normal", "model=linear")["init"]["activation"] == "relu"


@pytest.mark.parametrize("name", ["zeros", "constant"])
def test_equal_initial_weights_stay_equal(name, compose):
    net = drawn(compose, name, nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 3)))
    descent = torch.optim.SGD(net.parameters(), lr=0.5)
    inputs, targets = torch.randn(32, 4), torch.randint(3, (32,))
    for _ in range(20):
        descent.zero_grad()
        nn.functional.cross_entropy(net(inputs), targets).backward()
        descent.step()
    hidden = net[0].weight.detach()
    assert (hidden[0] - hidden).abs().max() < 1e-6
    assert hidden.abs().max() > 0.01, "the weights are trained, all equally"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("he_normal", 0.2, 5),
        ("he_uniform", 0.2, 5),
        ("he_truncated", 0.2, 5),
        ("lecun_uniform", 1e-7, 1e-5),  # half of it is lost in each layer: 2^-20
        ("normal", 0, 1e-10),
    ],
)
def test_a_deep_relu_net_keeps_its_variance_with_he_and_loses_it_with_smaller_weights(
    name, low, high, compose
):
    layers = [layer for _ in range(20) for layer in (nn.Linear(256, 256), nn.ReLU())]
    net = drawn(compose, name, nn.Sequential(*layers))
    assert low < net(torch.randn(200, 256)).square().mean().item() < high
