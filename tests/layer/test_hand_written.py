"""The hand-written layer equals autograd's, and the gradient check finds an error in it."""

import pytest
import torch
from torch import nn

from dlcourse.introspect.gradient_check import analytic_gradients, numeric_gradients, relative_error
from dlcourse.layer.activation import sqnl
from dlcourse.layer.hand_written import Affine, HandWritten, SquareNonlinearity, affine_sqnl


def arguments() -> list[torch.Tensor]:
    return [torch.randn(shape, dtype=torch.float64) for shape in ((4, 3), (5, 3), (5,))]


def test_the_hand_written_layer_trains_as_with_autograd():
    torch.manual_seed(1)
    ours, theirs = HandWritten(6, 5).double(), nn.Linear(6, 5).double()
    theirs.load_state_dict(ours.state_dict())
    optimizers = [torch.optim.SGD(layer.parameters(), 0.1) for layer in (ours, theirs)]
    inputs, targets = torch.randn(20, 6).double() * 2, torch.randn(20, 5).double()
    for _ in range(10):
        for outputs, optimizer in ((ours(inputs), 0), (sqnl(theirs(inputs)), 1)):
            optimizers[optimizer].zero_grad()
            (outputs - targets).square().mean().backward()
            optimizers[optimizer].step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=1e-12, atol=1e-12)


def test_it_is_initialised_as_pytorchs_linear_layer():
    torch.manual_seed(0)
    layer = HandWritten(100, 400)
    assert 0.0999 < layer.weight.abs().max() <= 0.1
    assert 0.095 < layer.bias.abs().max() <= 0.1


def test_it_trains_under_autocast_after_a_bf16_layer():
    first, layer, inputs = nn.Linear(4, 6), HandWritten(6, 5), torch.randn(8, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = first(inputs)
        outputs = layer(hidden)
    assert hidden.dtype == torch.bfloat16
    assert outputs.dtype == torch.float32
    outputs.sum().backward()
    assert first.weight.grad.norm() > 0
    assert layer.weight.grad.norm() > 0


def test_gradients_that_are_not_needed_are_not_computed():
    inputs, weight, bias = arguments()
    outputs = Affine.apply(inputs, weight.requires_grad_(), bias)
    gradients = outputs.grad_fn.apply(torch.ones_like(outputs))
    assert gradients[0] is None
    assert gradients[2] is None
    assert gradients[1].shape == weight.shape


def test_analytic_and_numeric_gradient_agree_for_a_correct_backward():
    given = arguments()
    pairs = zip(
        analytic_gradients(affine_sqnl, given), numeric_gradients(affine_sqnl, given), strict=True
    )
    for analytic, numeric in pairs:
        assert relative_error(analytic, numeric) < 1e-8


class Transposed(Affine):
    """The gradient of the weight with its rows in reverse order."""

    @staticmethod
    def backward(ctx, gradient):
        inputs, weight, bias = Affine.backward(ctx, gradient)
        return inputs, weight.flip(0), bias


class Forgotten(SquareNonlinearity):
    """A slope without its limits at -2 and 2."""

    @staticmethod
    def backward(ctx, gradient):
        (inputs,) = ctx.saved_tensors
        return gradient * (1 - inputs.abs() / 2)


def forgotten(inputs, weight, bias):
    return Forgotten.apply(Affine.apply(3 * inputs, weight, bias))


@pytest.mark.parametrize(("function", "wrong"), [(Transposed.apply, [1]), (forgotten, [0, 1, 2])])
def test_a_wrong_backward_is_found_with_its_argument(function, wrong):
    given = arguments()
    analytic, numeric = analytic_gradients(function, given), numeric_gradients(function, given)
    errors = [relative_error(*pair) for pair in zip(analytic, numeric, strict=True)]
    assert [number for number, error in enumerate(errors) if error > 1e-6] == wrong
    assert min(errors[number] for number in wrong) > 1e-3


def test_the_gradient_check_does_not_change_its_arguments():
    given = arguments()
    before = [argument.clone() for argument in given]
    numeric_gradients(affine_sqnl, given)
    assert all(map(torch.equal, given, before))


def test_errors_that_cancel_in_a_plain_sum_are_found_with_the_weighted_sum():
    class Swapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, inputs):
            return inputs * torch.tensor([1.0, 2.0], dtype=inputs.dtype)

        @staticmethod
        def backward(ctx, gradient):
            return gradient.flip(0) * torch.tensor([1.0, 2.0], dtype=gradient.dtype)

    given = [torch.randn(2, dtype=torch.float64)]
    pair = analytic_gradients(Swapped.apply, given) + numeric_gradients(Swapped.apply, given)
    assert relative_error(*pair) > 0.1


def test_the_relative_error_of_zero_gradients_is_0_and_a_nan_is_never_small():
    zero, nan = torch.zeros(2), torch.tensor([torch.nan, 0.0])
    assert relative_error(zero, zero) == 0
    assert relative_error(zero, torch.ones(2)) == 1
    assert not relative_error(nan, zero) <= 1
    assert not relative_error(zero, nan) <= 1
