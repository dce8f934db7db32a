"""Direct calls of fused updates equal PyTorch's own steps to the last bit."""

import copy

import pytest
import torch
from torch import nn

from dlcourse.machine.fused_step import FusedStep, use_fused_kernels

MAKERS = {
    "adam": lambda g: torch.optim.Adam(g, lr=0.01, weight_decay=0.1, fused=True),
    "amsgrad": lambda g: torch.optim.Adam(g, lr=0.01, amsgrad=True, fused=True),
    "adamw": lambda g: torch.optim.AdamW(g, lr=0.01, weight_decay=0.1, fused=True),
    "sgd": lambda g: torch.optim.SGD(g, lr=0.1, fused=True),
    "momentum": lambda g: torch.optim.SGD(g, lr=0.1, momentum=0.9, dampening=0.5, fused=True),
    "nesterov": lambda g: torch.optim.SGD(
        g, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1, fused=True
    ),
}


def pair(name: str):
    torch.manual_seed(0)
    made = []
    for model in [(first := nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))), copy.deepcopy(first)]:
        groups = [
            {"params": [*model[0].parameters()]},
            {"params": [*model[1].parameters()], "lr": 0.02},
        ]
        made.append((model, MAKERS[name](groups)))
    use_fused_kernels(made[1][1])
    return made


def step(model, optimizer, inputs, skip=None):
    model(inputs).square().sum().backward()
    if skip is not None:
        model[skip].bias.grad = None
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("name", MAKERS)
def test_a_fused_step_is_the_same_update(name):
    (one, plain), (other, quick) = pair(name)
    assert isinstance(quick.step, FusedStep)
    for number in range(6):
        inputs = torch.randn(7, 5)
        skip = 1 if number == 3 else None  # a parameter without a gradient is not updated
        for optimizer in (plain, quick):
            optimizer.param_groups[0]["lr"] = 0.03 / (number + 1)
        step(one, plain, inputs, skip)
        step(other, quick, inputs, skip)
        if number == 4:  # loading a checkpoint replaces the state's tensors
            quick.load_state_dict(copy.deepcopy(quick.state_dict()))
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert all(weight.grad is None for weight in other.parameters())


def test_pytorchs_step_is_used_if_more_than_the_kernel_is_needed(monkeypatch):
    (_, _), (model, quick) = pair("adam")
    calls = []
    own = quick.step.own_step
    monkeypatch.setattr(
        quick.step, "own_step", lambda closure=None: (calls.append(1), own(closure))
    )
    for _ in range(3):
        step(model, quick, torch.randn(7, 5))
    assert len(calls) == 1  # the first call creates the state
    step(model, quick, torch.randn(7, 5), skip=0)
    assert len(calls) == 2


@pytest.mark.parametrize("make", [
    lambda p: torch.optim.RMSprop(p), lambda p: torch.optim.Adam(p, fused=False),
])  # fmt: skip
def test_other_optimizers_keep_their_step(make):
    optimizer = make(nn.Linear(2, 2).parameters())
    use_fused_kernels(optimizer)
    assert not isinstance(optimizer.step, FusedStep)
