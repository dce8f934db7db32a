"""Clipping changes gradients as its formula says, and not at all where it need not."""

import pytest
import torch
from conftest import options
from torch import nn

from dlcourse.build import build


def clipped(compose, name, *more):
    """Return two gradients of joint norm 13 after clipping."""
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0, -4.0]), torch.tensor([12.0])
    build(compose(f"clip={name}", *more).clip)(iter(parameters))
    return torch.cat([p.grad for p in parameters])


def test_every_clipping_is_tested_here():
    assert set(options("clip")) == {"none", "norm", "value"}


def test_none_leaves_gradients_alone(compose):
    assert clipped(compose, "none").tolist() == [3, -4, 12]


def test_norm_scales_all_gradients_by_one_factor(compose):
    assert clipped(compose, "norm", "clip.max_norm=6.5").tolist() == pytest.approx(
        [1.5, -2, 6], rel=1e-5
    )
    assert clipped(compose, "norm", "clip.max_norm=20").tolist() == [3, -4, 12]


def test_value_cuts_every_component(compose):
    assert clipped(compose, "value", "clip.max_value=3.5").tolist() == [3, -3.5, 3.5]
