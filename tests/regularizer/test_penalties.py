"""The penalties are their sums, over matrices alone unless asked."""

import pytest
import torch
from conftest import options
from torch import nn

from dlcourse.build import build

FORMULAS = {
    "l1": lambda weights: 0.01 * sum(w.abs().sum() for w in weights),
    "l2": lambda weights: 0.01 / 2 * sum((w**2).sum() for w in weights),
}


def test_every_regularizer_has_a_formula_here():
    assert FORMULAS.keys() == set(options("regularizer"))


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("all_parameters", [False, True])
def test_a_penalty_is_its_sum(name, all_parameters, compose):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()
    weights = list(model.parameters()) if all_parameters else [model[0].weight, model[2].weight]
    more = [
        f"regularizer.{name}.strength=0.01",
        f"regularizer.{name}.all_parameters={all_parameters}",
    ]
    cfg = compose(f"regularizer=[{name}]", *more)
    penalty = build(cfg.regularizer[name])(model)
    assert penalty.item() == pytest.approx(FORMULAS[name](weights).item())


def test_penalties_combine(compose):
    cfg = compose("regularizer=[l1,l2]", "regularizer.l2.strength=0.5")
    assert list(cfg.regularizer) == ["l1", "l2"]
    assert cfg.regularizer.l2.strength == 0.5


def test_the_gradient_of_l2_is_strength_times_the_weight(compose):
    layer = nn.Linear(3, 2)
    cfg = compose("regularizer=[l2]", "regularizer.l2.strength=0.3")
    build(cfg.regularizer.l2)(layer).backward()
    torch.testing.assert_close(layer.weight.grad, 0.3 * layer.weight)
