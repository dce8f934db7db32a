"""The layers of a model that have weights of their own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class WeightedLayer:
    """A module with its own parameters, without those of the modules inside it.

    name: dotted, as in the weights' names; a parameter of the model itself is a layer of its own.
    module: None for such a parameter.
    """

    name: str
    module: nn.Module | None
    parameters: tuple[nn.Parameter, ...]

    @property
    def matrix(self) -> bool:
        """Whether it has weights of two or more dimensions, unlike norms and biases."""
        return any(parameter.dim() >= 2 for parameter in self.parameters)

    @property
    def maps(self) -> bool:
        """Whether a unit is a channel, dimension 1 of the outputs (N, C, ...), and not the last."""
        return any(parameter.dim() >= 3 for parameter in self.parameters)

    @property
    def matrices(self) -> list[nn.Parameter]:
        """The weights of two or more dimensions."""
        return [parameter for parameter in self.parameters if parameter.dim() >= 2]


def weighted_layers(model: nn.Module) -> list[WeightedLayer]:
    """Return the layers with parameters, in the order of the model; a shared one counts once."""
    found, seen = [], set()
    for name, module in model.named_modules():
        own = {
            key: parameter
            for key, parameter in module.named_parameters(recurse=False)
            if parameter not in seen and parameter.is_floating_point() and parameter.numel()
        }
        seen |= set(own.values())
        if name:
            found += [WeightedLayer(name, module, tuple(own.values()))] if own else []
        elif any(True for _ in module.children()):
            found += [WeightedLayer(key, None, (parameter,)) for key, parameter in own.items()]
        elif own:
            found.append(WeightedLayer(type(module).__name__, module, tuple(own.values())))
    return found


def layer_norms(layers: Sequence[WeightedLayer], tensors: Iterable[Tensor | None]) -> list[Tensor]:
    """Return the norm of each layer's tensors together, as scalars in float32 or wider.

    tensors: one for each parameter of each layer, in their order; None counts as zeros.
    """
    given, norms = iter(tensors), []
    for layer in layers:
        own = [next(given) for _ in layer.parameters]
        known = [tensor for tensor in own if tensor is not None]
        if known:
            each = torch._foreach_norm(known, 2)  # pyright: ignore[reportPrivateImportUsage]
            norms.append(torch.stack(each).norm())
        else:
            norms.append(layer.parameters[0].new_zeros(()))
    return norms
