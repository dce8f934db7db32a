"""SAM: the ascent step, the same dropout masks in both evaluations, exact restoring."""

import pytest
import torch
from conftest import prepared, same
from torch import nn

from dlcourse.optim.sam import ascend, restore_weights

OVERRIDES = ("model=mlp", "model.widths=[8]", "data.size=8", "optim=sam")


def one_step(tiny, *overrides):
    """Return the weights before and after a step on 30 digits."""
    state, fold, recipe = prepared(tiny(*OVERRIDES, *overrides))
    before = [parameter.detach().clone() for parameter in state.model.parameters()]
    inputs = recipe.prepare(fold.standardize(fold.train.inputs[:30]))
    recipe.step(state, inputs, fold.train.targets[:30], recipe)
    return before, [parameter.detach() for parameter in state.model.parameters()]


def test_with_a_rate_near_0_the_weights_are_restored_exactly(tiny):
    before, after = one_step(tiny, "optim.lr=1e-30")
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


def test_with_rho_0_sam_equals_momentum(tiny):
    ends = []
    for overrides in (["optim.rho=0"], ["optim=momentum"], ["optim.rho=0.05"]):
        torch.manual_seed(1)
        ends.append(
            torch.cat([p.flatten() for p in one_step(tiny, *overrides, "model.dropout=0.5")[1]])
        )
    assert torch.equal(ends[0], ends[1])  # with dropout: both evaluations have the same masks
    assert not torch.equal(ends[0], ends[2])


@pytest.mark.parametrize("scale", [1.0, 2.0**16])
def test_the_ascent_step_has_length_rho_for_any_scale_of_the_loss(scale):
    model = nn.Linear(4, 3)
    before = [p.detach().clone() for p in model.parameters()]
    (scale * model(torch.randn(5, 4)).square().sum()).backward()
    weights = ascend(model, 0.05)
    moved = [p.detach() - old for p, old in zip(model.parameters(), before, strict=True)]
    assert torch.cat([move.flatten() for move in moved]).norm() == pytest.approx(0.05, rel=1e-4)
    restore_weights(weights)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


def test_a_zero_gradient_gives_no_ascent_step():
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    other.load_state_dict(model.state_dict())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    ascend(model, 0.05)
    assert same(model, other)
