"""Glorot's normal initial weights."""

from torch import nn

from dlcourse.init.layers import fill_weights
from dlcourse.layer.activation import gain


def xavier_normal(model: nn.Module, *, activation: str) -> None:
    """Draw weights from N(0, gain^2 2 / (fan_in + fan_out)).

    Reference: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, equation 12.
    """
    fill_weights(model, lambda weight: nn.init.xavier_normal_(weight, gain(activation)))
