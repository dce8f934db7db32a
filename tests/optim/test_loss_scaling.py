"""A step with overflowing gradients changes no weights and halves the scale."""

import copy
import dataclasses

import pytest
import torch
from conftest import options, prepared

from dlcourse.schema.facts import fact

SCALE = 1024.0


def scaled(cfg):
    """Return a prepared run whose loss is scaled as under fp16, here on the CPU."""
    state, fold, recipe = prepared(cfg)
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
    return dataclasses.replace(state, scaler=scaler), fold, recipe


def same(before: list[torch.Tensor], after: list[torch.Tensor]) -> bool:
    """Return whether all tensors are equal to the last bit."""
    return all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def everything(state) -> list[torch.Tensor]:
    """Return a copy of all weights and of the optimizer's state."""
    kept = [value for own in state.optimizer.state.values() for value in own.values()]
    return copy.deepcopy([*state.model.parameters(), *kept])


def step(made, spoiled: bool = False) -> None:
    """Take a training step; spoiled: with one gradient that overflows."""
    state, fold, recipe = made
    inputs, targets = fold.standardize(fold.train.inputs), fold.train.targets
    weight = next(state.model.parameters())
    hook = weight.register_hook(lambda gradient: gradient * torch.inf) if spoiled else None
    recipe.step(state, inputs, targets, recipe)
    if hook:
        hook.remove()


CASES = [(optim, "norm") for optim in options("optim")]
CASES += [("adam", clip) for clip in options("clip") if clip != "norm"]


@pytest.mark.parametrize(("optim", "clip"), CASES)
def test_a_step_that_overflows_changes_no_weight_and_halves_the_scale(optim, clip, tiny):
    overrides = ["model=mlp", "model.widths=[8]", "data.size=8", f"optim={optim}", f"clip={clip}"]
    cfg = tiny(*overrides, f"batch_size={'full' if optim in ('gd', 'lbfgs') else 16}")
    if fact(cfg["optim"], "own_step"):
        pytest.skip("its own step does not scale the loss, and the checks refuse it under fp16")
    made = scaled(cfg)
    before = everything(made[0])
    step(made, spoiled=True)  # before the optimizer has a state
    assert same(before, everything(made[0])[: len(before)])
    for _ in range(2):
        step(made)
    before = everything(made[0])
    assert all(tensor.isfinite().all() for tensor in before)
    step(made, spoiled=True)
    assert same(before, everything(made[0]))
    assert made[0].scaler.get_scale() == SCALE / 4
    step(made)  # the control: an ordinary step moves the weights
    after = everything(made[0])
    assert not same(before, after)
    assert all(tensor.isfinite().all() for tensor in after)


@pytest.mark.parametrize("optim", ["adam", "nesterov", "sam", "muon"])
def test_without_overflow_the_loss_scale_does_not_change_the_weights(optim, tiny):
    overrides = ["model=mlp", "model.widths=[8]", "data.size=8", f"optim={optim}", "clip=norm"]
    ends = []
    for prepare in (prepared, scaled):
        made = prepare(tiny(*overrides))
        for _ in range(3):
            step(made)
        ends.append(everything(made[0]))
    for one, other in zip(*ends, strict=True):  # a power of two scales without rounding
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)
