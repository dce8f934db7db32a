"""Moving one model towards another."""

import copy

import torch
from torch import Tensor, nn


def still_copy(model: nn.Module) -> nn.Module:
    """Return a copy of a model that learns nothing by itself."""
    return copy.deepcopy(model).requires_grad_(False)


@torch.no_grad()
def blend_weights(averaged: nn.Module, model: nn.Module, share: float) -> None:
    """Make averaged <- (1 - share) averaged + share model.

    Norm statistics are averaged like weights; what is not a float (their count of batches) is
    copied.
    """
    old, new = tensors(averaged), tensors(model)
    floats = [name for name, tensor in old.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([old[name] for name in floats], [new[name] for name in floats], share)
    for name in old.keys() - set(floats):
        old[name].copy_(new[name])


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return all that a model consists of, by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
