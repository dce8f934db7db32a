"""He's initial weights from a truncated normal distribution."""

import math

from torch import Tensor, nn

from dlcourse.init.layers import fan_in, fill_weights
from dlcourse.layer.activation import gain

CUTOFF = 2.0  # in standard deviations of the normal distribution before truncation
DENSITY = math.exp(-CUTOFF * CUTOFF / 2) / math.sqrt(2 * math.pi)
KEPT = math.sqrt(1 - 2 * CUTOFF * DENSITY / math.erf(CUTOFF / math.sqrt(2)))
"""The standard deviation after truncation as a share of that before, 0.8796."""


def he_truncated(model: nn.Module, *, activation: str) -> None:
    """Draw weights from a normal distribution that is truncated at two standard deviations.

    Truncation reduces the variance by 23 %; the standard deviation is raised accordingly, so that
    the variance of the weights is gain^2 / fan_in, which for ReLU is 2 / fan_in.

    Reference: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, equation 10;
    truncated and corrected as in Keras's ``he_normal``.
    """
    scale = gain(activation)

    def fill(weight: Tensor) -> None:
        std = scale / math.sqrt(fan_in(weight)) / KEPT
        nn.init.trunc_normal_(weight, std=std, a=-CUTOFF * std, b=CUTOFF * std)

    fill_weights(model, fill)
