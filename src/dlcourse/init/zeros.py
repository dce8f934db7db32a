"""Zero initial weights."""

from torch import nn

from dlcourse.init.layers import draw


def zeros(model: nn.Module) -> None:
    """Set all weights and biases to zero, which keeps the hidden units of a layer identical."""
    draw(model, nn.init.zeros_)
