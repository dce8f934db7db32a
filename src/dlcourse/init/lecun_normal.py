"""LeCun's normal initial weights."""

import math

from torch import nn

from dlcourse.init.layers import fan_in, fill_weights
from dlcourse.layer.activation import gain


def lecun_normal(model: nn.Module, *, activation: str) -> None:
    """Draw weights from N(0, gain^2 / fan_in), with gain 1 as in the paper.

    Reference: LeCun, Bottou, Orr, Mueller, "Efficient BackProp", 1998, equation 16.
    """
    scale = gain(activation)
    fill_weights(
        model, lambda weight: nn.init.normal_(weight, std=scale / math.sqrt(fan_in(weight)))
    )
