"""The noise level of a regression."""

import math

from torch import Tensor

from dlcourse.core import Metric


class Noise(Metric):
    """The maximum likelihood estimate of Gaussian noise on the targets, with the outputs as means.

    The variance 1 / beta is the mean squared residual over examples and outputs. It is too small on
    the training data, because the model has fitted a part of the noise.

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
