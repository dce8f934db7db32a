"""Zero initial weights."""

from torch import nn

from dlcourse.init.layers import fill_weights


def zeros(model: nn.Module) -> None:
    """Set all weights and biases to zero; hidden units of a layer stay identical."""
    fill_weights(model, nn.init.zeros_)
