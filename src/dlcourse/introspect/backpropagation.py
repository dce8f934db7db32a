"""Backpropagation by hand through a fully connected network, with every factor kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class LayerPass:
    """A layer's numbers for one example: z = W x + b forward, and the gradients of the loss back.

    weight: W (units, inputs). inputs: x (inputs,). sums: z (units,). outputs: f(z) (units,).
    slopes: f'(z) (units,). arriving: dL/df(z) (units,), from the layer above. deltas: dL/dz, which
    is slopes times arriving. weight_gradient: dL/dW, the outer product of deltas and inputs.
    """

    weight: Tensor
    bias: Tensor
    inputs: Tensor
    sums: Tensor
    outputs: Tensor
    slopes: Tensor
    arriving: Tensor
    deltas: Tensor
    weight_gradient: Tensor


def backpropagate(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    functions: Sequence[Callable[[Tensor], Tensor]],
    inputs: Tensor,
    loss: Callable[[Tensor], Tensor],
) -> tuple[list[LayerPass], float]:
    """Return every layer's numbers and the loss, by the chain rule from layer to layer.

    Autograd computes only the derivatives of the elementwise functions and of the loss itself.
    inputs: one example (inputs,). functions: one for each layer, of (1, units).

    Reference: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors",
    Nature 323, 1986, equations 4 to 7.
    """
    forward: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    values = inputs
    for weight, bias, function in zip(weights, biases, functions, strict=True):
        sums = weight @ values + bias
        outputs, slopes = with_slope(function, sums)
        forward.append((values, sums, outputs, slopes))
        values = outputs
    last = values.clone().requires_grad_()
    total = loss(last)
    (arriving,) = torch.autograd.grad(total, last)
    passes: list[LayerPass] = []
    for weight, bias, (entered, sums, outputs, slopes) in zip(
        reversed(weights), reversed(biases), reversed(forward), strict=True
    ):
        deltas = slopes * arriving
        gradient = torch.outer(deltas, entered)
        passes.insert(
            0,
            LayerPass(weight, bias, entered, sums, outputs, slopes, arriving, deltas, gradient),
        )
        arriving = weight.T @ deltas
    return passes, float(total.detach())


def with_slope(function: Callable[[Tensor], Tensor], sums: Tensor) -> tuple[Tensor, Tensor]:
    """Return f(z) and f'(z) of an elementwise function at z (units,)."""
    point = sums.detach().clone().requires_grad_()
    outputs = function(point.unsqueeze(0)).squeeze(0)
    (slopes,) = torch.autograd.grad(outputs.sum(), point)
    return outputs.detach(), slopes


def by_autograd(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    functions: Sequence[Callable[[Tensor], Tensor]],
    inputs: Tensor,
    loss: Callable[[Tensor], Tensor],
) -> list[Tensor]:
    """Return dL/dW of every layer, computed by autograd alone."""
    leaves = [weight.clone().requires_grad_() for weight in weights]
    values = inputs
    for weight, bias, function in zip(leaves, biases, functions, strict=True):
        values = function((weight @ values + bias).unsqueeze(0)).squeeze(0)
    return list(torch.autograd.grad(loss(values), leaves))
