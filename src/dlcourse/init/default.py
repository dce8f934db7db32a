"""PyTorch's own initial weights."""

from torch import nn


def default(model: nn.Module) -> None:
    """Keep the weights that PyTorch's layers drew.

    Linear and convolution layers draw weights and biases from U(-b, b), b = 1 / sqrt(fan_in).
    """
