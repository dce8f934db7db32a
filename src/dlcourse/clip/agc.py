"""Adaptive gradient clipping."""

import torch
from torch import Tensor, nn


def agc(model: nn.Module, *, clipping: float, eps: float) -> None:
    """Shrink each unit's gradient g until ||g|| is at most ``clipping`` times max(||w||, eps).

    A unit is a row of a matrix (out, in) or a filter of (out, in, kh, kw); a vector, such as all
    biases of a layer, counts as one unit. The output layer, which is the last linear one, is not
    clipped.

    eps: lower bound of the weights' norm, so that weights of zero can change.

    Reference: Brock, De, Smith, Simonyan, "High-performance large-scale image recognition without
    normalization", ICML 2021, equation 3 and section 4.1.
    """
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    left_out = {id(parameter) for layer in linear[-1:] for parameter in layer.parameters()}
    for weight in model.parameters():
        if weight.grad is None or id(weight) in left_out:
            continue
        longest = clipping * unit_norms(weight.detach()).clamp(min=eps)
        length = unit_norms(weight.grad)
        weight.grad.mul_(torch.where(length > longest, longest / length, 1.0))


def unit_norms(weight: Tensor) -> Tensor:
    """Return the norms (out, 1, ...) of each row or filter, or () of a vector or a number."""
    if weight.dim() <= 1:
        return torch.linalg.vector_norm(weight)
    return torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)
