"""Uniform initial weights of one range for all layers."""

from torch import nn

from dlcourse.init.layers import fill_weights


def uniform(model: nn.Module, *, low: float, high: float) -> None:
    """Draw weights from U(low, high), with the same range in every layer.

    Reference: Chollet and others, Keras, 2015, ``RandomUniform``, whose range is -0.05 to 0.05.
    """
    fill_weights(model, lambda weight: nn.init.uniform_(weight, low, high))
