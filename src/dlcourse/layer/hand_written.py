"""A layer with forward and backward written by hand: the worked example of ``docs/own_layer.md``.

Autograd asks a function two things: what comes out (``forward``), and what the loss's gradient with
respect to its inputs is, given the one with respect to its output (``backward``). The rest, that is
the order of the layers and the sum over paths, is autograd's.
"""

import math

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx


class Affine(torch.autograd.Function):
    """Maps x (N, D) to y = x W^T + b (N, K), with W (K, D) and b (K,).

    With g = dL/dy (N, K), the chain rule gives, as y_nk = sum_d x_nd W_kd + b_k:

        dL/dx_nd = sum_k g_nk W_kd      that is  g W      (N, D)
        dL/dW_kd = sum_n g_nk x_nd      that is  g^T x    (K, D)
        dL/db_k  = sum_n g_nk           the sum over the batch (K,)
    """

    @staticmethod
    def forward(ctx: FunctionCtx, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # backward will need x and W; what is kept here costs memory until then
        ctx.save_for_backward(inputs, weight)
        return inputs @ weight.T + bias  # (N, K)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        # one gradient for each argument of forward, in its order and of its shape; None for what
        # nobody asked for: the first layer's inputs are data, so a third of the work is saved
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
    def forward(ctx: FunctionCtx, inputs: Tensor) -> Tensor:
        ctx.save_for_backward(inputs)
        inside = inputs.clamp(-2, 2)  # at -2 and 2 the parabola has just reached -1 and 1
        return inside - inside * inside.abs() / 4  # sign(x) x^2 is x |x|

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        (inputs,) = ctx.saved_tensors
        slope = (1 - inputs.abs() / 2).clamp(min=0)  # each output depends on its own input alone,
        return gradient * slope  # so the Jacobian is diagonal, and the product is elementwise


class HandWritten(nn.Module):
    """Maps (N, inputs) to (N, units): an affine map and the square non-linearity, both by hand.

    The module only holds the parameters, so that optimizers find them; the functions above do the
    work. ``Function.apply`` is what tells autograd of them; ``Affine.forward`` itself would not.
    Weights and biases start as in ``nn.Linear``: U(-1/sqrt(inputs), 1/sqrt(inputs)).
    """

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(units, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(units).uniform_(-bound, bound))

    def forward(self, features: Tensor) -> Tensor:
        # autocast would round the product in forward alone; without it both ways agree
        with torch.autocast(features.device.type, enabled=False):
            return affine_sqnl(features.to(self.weight.dtype), self.weight, self.bias)  # (N, units)


def affine_sqnl(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the square non-linearity of x W^T + b (N, K) for x (N, D), W (K, D) and b (K,)."""
    return SquareNonlinearity.apply(Affine.apply(inputs, weight, bias))
