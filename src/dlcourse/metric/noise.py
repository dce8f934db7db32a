"""The noise level of a regression."""

import math

from torch import Tensor

from dlcourse.core import Metric


class Noise(Metric):
    """The most likely Gaussian noise on the targets, if the outputs are their means.

    1 / beta, the variance, is the mean squared residual over examples and outputs. On the examples
    that a model was fitted to it is too small, for some of the noise has been fitted as well.

    Reference: Bishop, "Pattern Recognition and Machine Learning", 2006, equation 3.21.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum over examples of (outputs - targets)^2, averaged over the K outputs."""
        return (outputs - targets).square().mean(1).sum()

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"noise_std": 1 / sqrt(beta), "beta": precision}``."""
        variance = float(sums) / examples
        beta = 1 / variance if variance > 0 else math.inf
        return {"noise_std": math.sqrt(variance), "beta": beta}
