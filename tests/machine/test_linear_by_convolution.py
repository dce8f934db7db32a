"""A linear layer computed as a convolution gives the same outputs and gradients."""

import copy

import pytest
import torch
from torch import nn

from dlcourse.machine.linear_by_convolution import LinearByConvolution, use_convolutions


@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 5), (5,)])
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_equal_those_of_a_linear_layer(shape, bias):
    usual = nn.Sequential(nn.Linear(5, 4, bias=bias), nn.Tanh()).double()
    other = copy.deepcopy(usual)
    use_convolutions(other)
    assert type(other[0]) is LinearByConvolution
    assert other.state_dict().keys() == usual.state_dict().keys()
    inputs = torch.randn(shape, dtype=torch.float64)
    given = [inputs.clone().requires_grad_(True) for _ in range(2)]
    for model, own in zip((usual, other), given, strict=True):
        model(own).square().sum().backward()
    torch.testing.assert_close(other(inputs), usual(inputs))
    torch.testing.assert_close(given[1].grad, given[0].grad)
    for one, two in zip(usual.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(two.grad, one.grad)


def test_subclasses_of_linear_are_not_replaced():
    class Own(nn.Linear):
        pass

    model = nn.Sequential(Own(2, 2))
    use_convolutions(model)
    assert type(model[0]) is Own
