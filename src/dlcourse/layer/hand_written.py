"""A layer with forward and backward written by hand.

Teaching only: the worked example of ``docs/own_layer.md``; no model uses it.

Autograd calls two methods of a function: ``forward`` computes the output, ``backward`` the gradient
of the loss with respect to the inputs from the one with respect to the output. Autograd itself
handles the order of the layers and the sum over paths.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn


class Affine(torch.autograd.Function):
    """Maps x (N, D) to y = x W^T + b (N, K), with W (K, D) and b (K,).

    With g = dL/dy (N, K), the chain rule gives, as y_nk = sum_d x_nd W_kd + b_k:

        dL/dx_nd = sum_k g_nk W_kd      that is  g W      (N, D)
        dL/dW_kd = sum_n g_nk x_nd      that is  g^T x    (K, D)
        dL/db_k  = sum_n g_nk           the sum over the batch (K,)
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # backward needs x and W; they occupy memory until then
        ctx.save_for_backward(inputs, weight)
        return inputs @ weight.T + bias  # (N, K)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        # one gradient per argument of forward, in the same order and shape; None where none is
        # needed: the inputs of the first layer are data, which saves a third of the work
        wanted_inputs, wanted_weight, wanted_bias = ctx.needs_input_grad
        return (
            gradient @ weight if wanted_inputs else None,  # (N, D)
            gradient.T @ inputs if wanted_weight else None,  # (K, D)
            gradient.sum(0) if wanted_bias else None,  # (K,): b reached every example
        )


class SquareNonlinearity(torch.autograd.Function):
    """Maps x of any shape to x - sign(x) x^2 / 4 where |x| < 2, and to sign(x) beyond.

    Its slope is 1 - |x| / 2 where |x| < 2, and 0 beyond; both agree at 2, so there is no kink.

    Reference: Wuraola, Patel, "SQNL: a new computationally efficient activation function", 2018.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor) -> Tensor:
        ctx.save_for_backward(inputs)
        inside = inputs.clamp(-2, 2)  # at -2 and 2 the parabola has just reached -1 and 1
        return inside - inside * inside.abs() / 4  # sign(x) x^2 is x |x|

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (inputs,) = ctx.saved_tensors
        slope = (1 - inputs.abs() / 2).clamp(min=0)  # each output depends on its own input alone,
        return gradient * slope  # so the Jacobian is diagonal, and the product is elementwise


class HandWritten(nn.Module):
    """Maps (N, inputs) to (N, units) by an affine map and the square non-linearity.

    The module only holds the parameters, so that optimizers find them; the functions above compute.
    ``Function.apply`` records the call for autograd; calling ``Affine.forward`` would not.
    Weights and biases are drawn as in ``nn.Linear``: U(-1/sqrt(inputs), 1/sqrt(inputs)).
    """

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(units, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(units).uniform_(-bound, bound))

    def forward(self, features: Tensor) -> Tensor:
        # autocast would round in forward only; without it forward and backward agree
        with torch.autocast(features.device.type, enabled=False):
            return affine_sqnl(features.to(self.weight.dtype), self.weight, self.bias)  # (N, units)


def affine_sqnl(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the square non-linearity of x W^T + b (N, K) for x (N, D), W (K, D) and b (K,)."""
    return SquareNonlinearity.apply(Affine.apply(inputs, weight, bias))
