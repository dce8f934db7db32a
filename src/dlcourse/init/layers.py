"""The weights that initializers fill."""

from collections.abc import Callable

from torch import Tensor, nn

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def fill_weights(model: nn.Module, fill: Callable[[Tensor], object]) -> None:
    """Call ``fill`` on the weights of every linear and convolution layer; set biases to zero."""
    for layer in model.modules():
        if isinstance(layer, WEIGHTED):
            if layer.weight.numel():  # the polynomial of order 0 has none
                fill(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def fan_in(weight: Tensor) -> int:
    """Return the number of inputs per output unit: C_in times the kernel's area."""
    return weight[0].numel()
