"""Orthogonal initial weights."""

from torch import nn

from dlcourse.init.layers import fill_weights
from dlcourse.layer.activation import gain


def orthogonal(model: nn.Module, *, activation: str) -> None:
    """Draw a random orthogonal matrix (fan_out, fan_in) for each layer, times the gain.

    Reference: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", ICLR 2014.
    """
    fill_weights(model, lambda weight: nn.init.orthogonal_(weight, gain(activation)))
