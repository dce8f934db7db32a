"""Constant initial weights."""

from torch import nn

from dlcourse.init.layers import fill_weights


def constant(model: nn.Module, *, value: float) -> None:
    """Set all weights to ``value`` and biases to zero; hidden units of a layer stay identical."""
    fill_weights(model, lambda weight: nn.init.constant_(weight, value))
