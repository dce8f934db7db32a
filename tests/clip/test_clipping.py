"""Clipping follows its formula and leaves small gradients unchanged."""

import pytest
import torch
from conftest import options, prepared, same
from references.clip import ROWS, clipped, gradients, network
from torch import nn

from dlcourse.clip.agc import agc
from dlcourse.engine.instantiate import build
from dlcourse.train.fit import fit


def test_every_clipping_has_a_reference():
    assert ROWS.keys() == set(options("clip"))


@pytest.mark.parametrize("name", ["norm", "value", "agc"])
def test_small_gradients_are_not_clipped(name, compose):
    before, after = clipped(compose, name, scale=1e-6)
    assert all((old == new).all() for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["norm", "value", "agc"])
def test_large_gradients_are_clipped(name, compose):
    before, after = clipped(compose, name, scale=10.0)
    assert any((old != new).any() for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("name", options("clip"))
def test_a_parameter_without_a_gradient_is_skipped(name, compose):
    model = network()
    model[0].weight.grad = None
    build(compose(f"clip={name}")["clip"])(model)
    assert model[0].weight.grad is None


def test_agc_allows_a_gradient_for_zero_weights():
    layer = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    nn.init.zeros_(layer[0].weight)
    layer[0].weight.grad = torch.ones(2, 3)
    agc(layer, clipping=0.01, eps=1e-3)
    torch.testing.assert_close(layer[0].weight.grad.norm(dim=1), torch.full((2,), 1e-5))


def test_agc_does_not_clip_the_last_linear_layer():
    model = network()
    before = gradients(model)
    agc(model, clipping=1e-6, eps=1e-3)
    unchanged = [(old == new).all() for old, new in zip(before, gradients(model), strict=True)]
    assert unchanged == [False] * (len(unchanged) - 2) + [True, True]


@pytest.mark.parametrize(
    "overrides", [["clip=norm"], ["clip=value", "clip.max_value=0.01"], ["clip=agc"]]
)
def test_clipping_changes_the_weights_of_a_run(overrides, tiny):
    ends = []
    for more in ([], overrides):
        names = ["model=mlp", "model.widths=[8]", "data.size=8", "optim=sgd", "max_epochs=1"]
        state, fold, recipe = prepared(tiny(*names, *more, "optim.lr=1"))
        fit(state, fold, recipe)
        ends.append(state.model)
    assert not same(*ends)
