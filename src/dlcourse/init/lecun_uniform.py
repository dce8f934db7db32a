"""LeCun's uniform initial weights."""

import math

from torch import Tensor, nn

from dlcourse.init.layers import fan_in, fill_weights
from dlcourse.layer.activation import gain


def lecun_uniform(model: nn.Module, *, activation: str) -> None:
    """Draw weights from U(-b, b) with b = gain sqrt(3 / fan_in): variance gain^2 / fan_in.

    With the paper's gain of 1 the standard deviation is 1 / sqrt(fan_in). In ``default`` this is
    the bound b, so that the variance is a third of it.

    Reference: LeCun, Bottou, Orr, Mueller, "Efficient BackProp", 1998, equation 16, as a uniform
    distribution of the same variance.
    """
    scale = gain(activation)

    def fill(weight: Tensor) -> None:
        bound = scale * math.sqrt(3 / fan_in(weight))
        nn.init.uniform_(weight, -bound, bound)

    fill_weights(model, fill)
