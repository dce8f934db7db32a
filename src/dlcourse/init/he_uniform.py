"""He's uniform initial weights."""

import math

from torch import Tensor, nn

from dlcourse.init.layers import fan_in, fill_weights
from dlcourse.layer.activation import gain


def he_uniform(model: nn.Module, *, activation: str) -> None:
    """Draw weights from U(-b, b) with b = gain sqrt(3 / fan_in): variance gain^2 / fan_in.

    Reference: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, equation 10, as a
    uniform distribution of the same variance.
    """
    scale = gain(activation)

    def fill(weight: Tensor) -> None:
        bound = scale * math.sqrt(3 / fan_in(weight))
        nn.init.uniform_(weight, -bound, bound)

    fill_weights(model, fill)
