"""Compare gradients from autograd with central differences, in float64."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

STEP_SIZE = 1e-5  # of the central difference, whose error is then about 1e-10 for numbers around 1


def weighted_sum(outputs: Tensor) -> Tensor:
    """Return the sum of all outputs with different weights, so that errors do not cancel."""
    weights = torch.linspace(0.5, 1.5, outputs.numel(), dtype=outputs.dtype)
    return (outputs.flatten() * weights).sum()


def analytic_gradients(
    function: Callable[..., Tensor], arguments: Sequence[Tensor]
) -> list[Tensor]:
    """Return the gradients of the weighted sum of the outputs by autograd, one per argument.

    The gradient of an argument that is not used is zero.
    """
    leaves = [argument.clone().requires_grad_() for argument in arguments]
    total = weighted_sum(function(*leaves))
    gradients = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    return [gradient.contiguous() for gradient in gradients]


def numeric_gradients(function: Callable[..., Tensor], arguments: Sequence[Tensor]) -> list[Tensor]:
    """Return the differences (L(x + h) - L(x - h)) / 2h of the same sum L, entry by entry.

    It calls the function twice for each entry of the arguments, which are float64.
    """
    arguments = [argument.clone() for argument in arguments]
    gradients = [torch.empty_like(argument) for argument in arguments]
    with torch.no_grad():
        for argument, gradient in zip(arguments, gradients, strict=True):
            for position in range(argument.numel()):
                entry = argument.view(-1)[position]
                value = entry.item()
                entry.fill_(value + STEP_SIZE)
                above = weighted_sum(function(*arguments))
                entry.fill_(value - STEP_SIZE)
                below = weighted_sum(function(*arguments))
                entry.fill_(value)
                gradient.view(-1)[position] = (above - below) / (2 * STEP_SIZE)
    return gradients


def relative_error(analytic: Tensor, numeric: Tensor) -> float:
    """Return |a - n| / max(|a|, |n|), norms over all entries; 0 where both are zero."""
    larger = max(analytic.norm().item(), numeric.norm().item())
    distance = (analytic - numeric).norm().item()
    return distance / larger if distance > 0 or larger > 0 else distance  # NaN stays NaN
