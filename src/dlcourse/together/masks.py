"""The dropout masks of lanes, each drawn as its run would draw them alone."""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
"""Layers that multiply their input by a random mask."""


class Given(nn.Module):
    """Multiplies its input by the next mask of a queue, in place of a dropout layer."""

    def __init__(self, queue: list[Iterator[Tensor]]) -> None:
        super().__init__()
        self.queue = queue

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * next(self.queue[0])


def active_dropouts(model: nn.Module) -> list[str]:
    """Return the names of the dropout layers that are in training mode."""
    return [
        name for name, layer in model.named_modules() if type(layer) in DROPOUTS and layer.training
    ]


def without_dropouts(model: nn.Module, queue: list[Iterator[Tensor]]) -> None:
    """Replace the active dropout layers of a model by ``Given``."""
    for name in active_dropouts(model):
        model.set_submodule(name, Given(queue))


class MaskShapes:
    """The dropout layers of an architecture in the order of their calls, for each batch shape."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model if active_dropouts(model) else None
        self.known: dict[torch.Size, list[tuple[str, Tensor]]] = {}

    def draw(self, model: nn.Module, inputs: Tensor) -> list[Tensor]:
        """Draw a lane's masks for a batch of inputs (N, ...) with the current random state.

        model: the lane's. The layer itself is applied to ones: the result is its mask, with the
        random numbers that it would draw for the real input.
        """
        if self.model is None:
            return []
        if inputs.shape not in self.known:
            self.known[inputs.shape] = observed_calls(self.model, inputs)
        return [model.get_submodule(name)(ones.clone()) for name, ones in self.known[inputs.shape]]


def observed_calls(model: nn.Module, inputs: Tensor) -> list[tuple[str, Tensor]]:
    """Return the name of each dropout layer that a forward pass calls, with ones of its input.

    The ones have the shape and memory order of the input. The model and the random numbers are
    left as they were.
    """
    calls: list[tuple[str, Tensor]] = []
    probe = deepcopy(model)
    devices = [inputs.device] if inputs.is_cuda else []

    def observe(name: str) -> None:
        def note(layer: nn.Module, given: Sequence[Tensor]) -> None:
            calls.append((name, torch.ones_like(given[0])))

        probe.get_submodule(name).register_forward_pre_hook(note)

    for name in active_dropouts(probe):
        observe(name)
    with torch.random.fork_rng(devices), torch.no_grad():
        probe(inputs)
    return calls
