"""Record what the layers of a model compute on a few examples."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from dlcourse.introspect.unit_statistics import UnitStatistics
from dlcourse.introspect.weighted_layers import WeightedLayer
from dlcourse.layer.activation import Elementwise, Maxout

FUNCTIONS = frozenset(
    (
        "relu", "relu6", "leaky_relu", "rrelu", "prelu", "elu", "selu", "celu", "gelu", "silu",
        "mish", "softplus", "softsign", "sigmoid", "logsigmoid", "tanh", "hardtanh", "hardsigmoid",
        "hardswish", "threshold",
    )
)  # fmt: skip
"""The activations among PyTorch's functions, without the underscore of their in-place forms."""


class ActivationCalls(TorchFunctionMode):
    """Calls ``seen(name, outputs)`` after each activation that PyTorch computes in a block.

    So an activation is found whether a model has it as a module or calls ``F.relu`` itself.
    """

    def __init__(self, seen: Callable[[str, Tensor], None]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Run a function of PyTorch; report it if it is an activation."""
        outputs = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").rstrip("_")
        if name in FUNCTIONS:
            self.seen(name, outputs)
        return outputs


@torch.no_grad()
def output_statistics(
    run: Callable[[], Any],
    layers: Sequence[WeightedLayer],
    model: nn.Module,
    histograms: bool = False,
) -> dict[str, UnitStatistics]:
    """Return statistics of the outputs of each layer with a weight matrix, by the layer's name.

    The outputs are those of the first activation that is computed after the layer, before the next
    layer: for a convolution, a norm and a ReLU the outputs of the ReLU. Without an activation they
    are the layer's own. A layer that runs several times, as in a recurrent network, has statistics
    over all its runs; a layer that does not run has none.

    run: runs the model once. histograms: make histograms as well.
    """
    found: dict[str, UnitStatistics] = {}
    waiting: list[tuple[WeightedLayer, Tensor]] = []  # the last layer, until its activation comes

    def record(layer: WeightedLayer, activation: str, outputs: Tensor) -> None:
        found.setdefault(layer.name, UnitStatistics(layer.maps)).add(
            outputs, activation, histograms
        )

    def leave_layer(layer: WeightedLayer) -> Callable[..., None]:
        def leave(module: nn.Module, arguments: tuple, outputs: object) -> None:
            flush()
            made = first_tensor(outputs)
            if made is not None:
                waiting.append((layer, made))

        return leave

    def activated(name: str, outputs: Tensor) -> None:
        if waiting:
            layer, _ = waiting.pop()
            record(layer, name, outputs)

    def leave_activation(module: nn.Module, arguments: tuple, outputs: object) -> None:
        made = first_tensor(outputs)
        if made is not None:
            activated(activation_name(module), made)

    def flush() -> None:
        while waiting:
            layer, outputs = waiting.pop()
            record(layer, "", outputs)

    handles = [
        layer.module.register_forward_hook(leave_layer(layer))
        for layer in layers
        if layer.module is not None and layer.matrix
    ]
    handles += [
        module.register_forward_hook(leave_activation)
        for module in model.modules()
        if isinstance(module, Elementwise | Maxout)
    ]
    try:
        with ActivationCalls(activated):
            run()
        flush()
    finally:
        for handle in handles:
            handle.remove()
    return found


def activation_name(module: nn.Module) -> str:
    """Return the name of one of dlcourse's own activations, ``sqnl``."""
    return getattr(getattr(module, "function", None), "__name__", type(module).__name__.lower())


def first_tensor(outputs: object) -> Tensor | None:
    """Return the first floating-point tensor in a module's outputs; None if there is none."""
    tensors = (leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor))
    return next((one for one in tensors if one.is_floating_point() and one.dim() > 1), None)
