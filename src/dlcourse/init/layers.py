"""Which tensors an initializer draws."""

from collections.abc import Callable

from torch import Tensor, nn

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def fill_weights(model: nn.Module, fill: Callable[[Tensor], None]) -> None:
    """Fill the weights of every linear and convolution layer; set their biases to zero."""
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            if layer.weight.numel():  # a constant has none
                fill(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def fan_in(weight: Tensor) -> int:
    """Return how many inputs one output unit sums up: C_in, times the kernel's area."""
    return weight[0].numel()
