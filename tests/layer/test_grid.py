"""The average over a grid equals PyTorch's, with a gradient that is deterministic on CUDA."""

import pytest
import torch
from torch import nn

from dlcourse.layer.grid import GridAverage


@pytest.mark.parametrize("side", [1, 2, 6, 7])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 7), (14, 14), (9, 20), (5, 6)])
def test_the_grid_average_and_its_gradient_equal_adaptive_average_pooling(side, size):
    maps = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, side, side, dtype=torch.float64)
    found, expected = GridAverage(side)(maps), nn.AdaptiveAvgPool2d(side)(maps)
    torch.testing.assert_close(found, expected)
    gradients = [
        torch.autograd.grad((cells * weights).sum(), maps)[0] for cells in (found, expected)
    ]
    torch.testing.assert_close(*gradients)


def test_maps_of_the_size_of_the_grid_are_returned_unchanged():
    maps = torch.randn(2, 3, 7, 7)
    assert GridAverage(7)(maps) is maps
