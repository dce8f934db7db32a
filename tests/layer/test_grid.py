"""The average over a grid is PyTorch's, with a gradient that CUDA can reproduce."""

import pytest
import torch
from torch import nn

from dlcourse.layer.grid import GridAverage


@pytest.mark.parametrize("side", [1, 2, 6, 7])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 7), (14, 14), (9, 20), (5, 6)])
def test_a_grid_and_its_gradient_are_those_of_pytorch(side, size):
    maps = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, side, side, dtype=torch.float64)
    found, expected = GridAverage(side)(maps), nn.AdaptiveAvgPool2d(side)(maps)
    torch.testing.assert_close(found, expected)
    gradients = [
        torch.autograd.grad((cells * weights).sum(), maps)[0] for cells in (found, expected)
    ]
    torch.testing.assert_close(*gradients)


def test_maps_that_are_the_grid_stay_as_they_are():
    maps = torch.randn(2, 3, 7, 7)
    assert GridAverage(7)(maps) is maps
