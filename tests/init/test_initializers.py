"""Every initializer draws weights of the variance that its formula states."""

import math

import pytest
import torch
from conftest import options
from torch import nn

from dlcourse.build import build
from dlcourse.layer.activation import gain

FAN_IN, FAN_OUT = 300, 200
VARIANCES = {
    "default": 1 / (3 * FAN_IN),
    "zeros": 0.0,
    "normal": 0.01**2,
    "xavier_normal": 2 / (FAN_IN + FAN_OUT),
    "xavier_uniform": 2 / (FAN_IN + FAN_OUT),
    "he_normal": 2 / FAN_IN,
    "he_uniform": 2 / FAN_IN,
    "lecun_normal": 1 / FAN_IN,
    "orthogonal": 2 / max(FAN_IN, FAN_OUT),
}


def drawn(compose, name, layer, *more):
    torch.manual_seed(0)
    build(compose(f"init={name}", *more).init)(layer)
    return layer


def test_every_initializer_has_a_variance_here():
    assert VARIANCES.keys() == set(options("init"))


@pytest.mark.parametrize("name", VARIANCES)
def test_an_initializer_draws_the_variance_of_its_formula(name, compose):
    weight = drawn(compose, name, nn.Linear(FAN_IN, FAN_OUT)).weight
    assert weight.mean().item() == pytest.approx(
        0, abs=3 * math.sqrt(VARIANCES[name] / 60_000) + 1e-9
    )
    assert weight.var().item() == pytest.approx(VARIANCES[name], rel=0.03, abs=1e-12)


@pytest.mark.parametrize("name", sorted(VARIANCES.keys() - {"default"}))
def test_biases_are_zero(name, compose):
    assert drawn(compose, name, nn.Linear(FAN_IN, FAN_OUT)).bias.abs().max() == 0


@pytest.mark.parametrize("name", ["he_normal", "he_uniform", "lecun_normal"])
def test_the_fan_of_a_convolution_counts_the_kernels_area(name, compose):
    weight = drawn(compose, name, nn.Conv2d(20, 40, 5)).weight
    expected = (1 if name == "lecun_normal" else 2) / (20 * 25)
    assert weight.var().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("name", ["xavier_uniform", "he_uniform"])
def test_a_uniform_initializer_stays_within_its_limit(name, compose):
    weight = drawn(compose, name, nn.Linear(FAN_IN, FAN_OUT)).weight
    limit = math.sqrt(3 * VARIANCES[name])
    assert limit * 0.99 < weight.abs().max() <= limit


def test_the_default_leaves_every_weight_alone(compose):
    layer = nn.Linear(3, 3)
    before = layer.weight.clone()
    assert torch.equal(drawn(compose, "default", layer).weight, before)


def test_orthogonal_columns_are_orthogonal(compose):
    weight = drawn(compose, "orthogonal", nn.Linear(50, 80), "model.activation=identity").weight
    torch.testing.assert_close(weight.T @ weight, torch.eye(50), atol=1e-5, rtol=0)


def test_the_gain_follows_the_models_activation(compose):
    tanh = drawn(compose, "he_normal", nn.Linear(FAN_IN, FAN_OUT), "model.activation=tanh").weight
    assert tanh.var().item() == pytest.approx(gain("tanh") ** 2 / FAN_IN, rel=0.03)


def test_a_model_without_an_activation_takes_relus_gain(compose):
    assert compose("init=he_normal", "model=linear").init.activation == "relu"


@pytest.mark.parametrize(("name", "low", "high"), [("he_normal", 0.2, 5), ("normal", 0, 1e-10)])
def test_a_deep_relu_net_keeps_its_signal_under_he_and_loses_it_under_small_weights(
    name, low, high, compose
):
    layers = [layer for _ in range(20) for layer in (nn.Linear(256, 256), nn.ReLU())]
    net = drawn(compose, name, nn.Sequential(*layers))
    assert low < net(torch.randn(200, 256)).square().mean().item() < high
