"""Weighted means of two models."""

import copy

import torch
from torch import Tensor, nn


def frozen_copy(model: nn.Module) -> nn.Module:
    """Return a copy of a model whose parameters require no gradient."""
    return copy.deepcopy(model).requires_grad_(False)


@torch.no_grad()
def blend_weights(averaged: nn.Module, model: nn.Module, share: float) -> None:
    """Set averaged <- (1 - share) averaged + share model, in place.

    Norm statistics are averaged like weights; integers (the count of batches in a norm) are copied.
    """
    old, new = tensors(averaged), tensors(model)
    floats = [name for name, tensor in old.items() if tensor.is_floating_point()]
    torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
        [old[name] for name in floats], [new[name] for name in floats], share
    )
    for name in old.keys() - set(floats):
        old[name].copy_(new[name])


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return all parameters and buffers of a model by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
