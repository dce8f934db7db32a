"""The weights of several models in one tensor each."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Taken(NamedTuple):
    """The parameters and buffers of G models by name, each (G, ...); parameters are leaves."""

    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]


class Stack:
    """The parameters and buffers of K models with the same architecture, stacked: (K, ...) each.

    The models' own tensors become views of the stack, so that an optimizer that updates a model
    updates the stack, and a forward pass of the stack updates each model's norm statistics.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.models = list(models)
        self.parameters = stack_in_place([dict(m.named_parameters()) for m in models])
        self.buffers = stack_in_place([dict(m.named_buffers()) for m in models])
        first = dict(self.models[0].named_parameters())
        self.trained = [name for name, weight in first.items() if weight.requires_grad]
        weights = [dict(model.named_parameters()) for model in self.models]
        self.weights = [[own[name] for name in self.trained] for own in weights]

    def take(self, places: Sequence[int]) -> Taken:
        """Return the numbers of some models: of neighbours in place, of others as a copy."""
        first, last = places[0], places[-1]
        found = []
        for tensors in (self.parameters, self.buffers):
            if list(places) == list(range(first, last + 1)):
                found.append({name: tensor[first : last + 1] for name, tensor in tensors.items()})
            else:
                found.append({name: tensor[list(places)] for name, tensor in tensors.items()})
        parameters, buffers = found
        for name in self.trained:
            parameters[name].requires_grad_()
        return Taken(parameters, buffers)

    def put_back(self, places: Sequence[int], buffers: dict[str, Tensor]) -> None:
        """Store buffers that a forward pass has changed, if ``take`` returned a copy."""
        for name, tensor in buffers.items():
            if tensor.data_ptr() != self.buffers[name][places[0]].data_ptr():
                self.buffers[name][list(places)] = tensor

    def release(self) -> None:
        """Give every model tensors of its own."""
        for model in self.models:
            for tensor in (*model.parameters(), *model.buffers()):
                tensor.data = tensor.detach().clone()


def stack_in_place(models: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the stacks (K, ...) of equally named tensors, which become views of them.

    Every view has the memory order of the tensor before, as an optimizer's state has.
    """
    stacks = {}
    for name, tensor in models[0].items():
        dense = tensor.is_contiguous() or sum(tensor.stride()) > 0
        shape = (len(models), *tensor.shape)
        strides = (tensor.numel(), *tensor.stride()) if dense else None
        whole = torch.empty_strided(
            shape, strides or torch.empty(shape, device="meta").stride(),
            dtype=tensor.dtype, device=tensor.device,
        )  # fmt: skip
        for place, tensors in enumerate(models):
            whole[place].copy_(tensors[name].detach())
            tensors[name].data = whole[place]
        stacks[name] = whole
    return stacks
