"""Measure the signals and gradients of each layer in one forward and backward pass."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


@dataclass
class LayerSignal:
    """The outputs of a layer with weights, before its activation, over all examples and units.

    name: dotted, as in the weights' names. gradient: the variance of the loss's gradient with
    respect to these outputs; 0 if none arrives.
    """

    name: str
    kind: str
    mean: float
    variance: float
    largest: float
    gradient: float = 0.0


def measure_signals(model: nn.Module, loss_of: Callable[[], Tensor]) -> list[LayerSignal]:
    """Run a model forward and backward; return its layers with weights in the order they ran.

    A layer that runs several times counts with its last outputs. Weights, gradients and buffers of
    the model are left as the pass leaves them.

    loss_of: runs the model and returns the loss.
    """
    names = {
        module: name or type(module).__name__
        for name, module in model.named_modules()
        if not list(module.children())
        and any(weight.dim() > 1 for weight in module.parameters(recurse=False))
    }
    found: dict[str, LayerSignal] = {}

    def measure(module: nn.Module, _: object, outputs: object) -> None:
        values = next(leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor))
        numbers = values.detach().cpu().double()
        signal = LayerSignal(
            names[module],
            type(module).__name__,
            float(numbers.mean()),
            float(numbers.var(correction=0)),
            float(numbers.abs().max()),
        )
        found[signal.name] = signal

        def arrived(gradient: Tensor) -> None:
            signal.gradient = float(gradient.cpu().double().var(correction=0))

        if values.requires_grad:
            values.register_hook(arrived)

    handles = [module.register_forward_hook(measure) for module in names]
    try:
        with torch.enable_grad():
            loss = loss_of()
            if loss.requires_grad:
                loss.backward()
    finally:
        for handle in handles:
            handle.remove()
    return list(found.values())
