"""Whether a backward is the slope of its forward, measured in double precision."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

STEP = 1e-5  # of the central difference, whose error is then about 1e-10 for numbers around 1


def weighted_sum(outputs: Tensor) -> Tensor:
    """Return a sum of all outputs, each with another weight, so that no errors cancel."""
    weights = torch.linspace(0.5, 1.5, outputs.numel(), dtype=outputs.dtype)
    return (outputs.flatten() * weights).sum()


def analytic_gradients(
    function: Callable[..., Tensor], arguments: Sequence[Tensor]
) -> list[Tensor]:
    """Return what backward says of the weighted sum of the outputs: a gradient each argument.

    An argument that gets no gradient has zeros.
    """
    leaves = [argument.clone().requires_grad_() for argument in arguments]
    total = weighted_sum(function(*leaves))
    gradients = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    return [gradient.contiguous() for gradient in gradients]


def numeric_gradients(function: Callable[..., Tensor], arguments: Sequence[Tensor]) -> list[Tensor]:
    """Return the slopes (L(x + h) - L(x - h)) / 2h of the same sum, one entry at a time.

    It calls the function twice for each number in the arguments, which are float64.
    """
    arguments = [argument.clone() for argument in arguments]
    gradients = [torch.empty_like(argument) for argument in arguments]
    with torch.no_grad():
        for argument, gradient in zip(arguments, gradients, strict=True):
            for position in range(argument.numel()):
                entry = argument.view(-1)[position]
                value = entry.item()
                entry.fill_(value + STEP)
                above = weighted_sum(function(*arguments))
                entry.fill_(value - STEP)
                below = weighted_sum(function(*arguments))
                entry.fill_(value)
                gradient.view(-1)[position] = (above - below) / (2 * STEP)
    return gradients


def relative_error(analytic: Tensor, numeric: Tensor) -> float:
    """Return |a - n| / max(|a|, |n|), norms over all entries; 0 where both are zero."""
    larger = max(analytic.norm().item(), numeric.norm().item())
    apart = (analytic - numeric).norm().item()
    return apart / larger if apart > 0 or larger > 0 else apart  # not a number stays that
