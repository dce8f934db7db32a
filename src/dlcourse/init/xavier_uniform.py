"""Glorot's uniform initial weights."""

from torch import nn

from dlcourse.init.layers import fill_weights
from dlcourse.layer.activation import gain


def xavier_uniform(model: nn.Module, *, activation: str) -> None:
    """Draw weights from U(-b, b) with b = gain sqrt(6 / (fan_in + fan_out)).

    Reference: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, equation 16.
    """
    fill_weights(model, lambda weight: nn.init.xavier_uniform_(weight, gain(activation)))
