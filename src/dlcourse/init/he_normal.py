"""He's normal initial weights."""

import math

from torch import nn

from dlcourse.init.layers import fan_in, fill_weights
from dlcourse.layer.activation import gain


def he_normal(model: nn.Module, *, activation: str) -> None:
    """Draw weights from N(0, gain^2 / fan_in), which for ReLU is N(0, 2 / fan_in).

    Reference: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, equation 10.
    """
    scale = gain(activation)
    fill_weights(
        model, lambda weight: nn.init.normal_(weight, std=scale / math.sqrt(fan_in(weight)))
    )
