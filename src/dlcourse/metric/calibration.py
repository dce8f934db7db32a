"""Calibration: whether the confidence of a model equals its accuracy."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.classification import reliability_sums, reliability_table


class Calibration(Metric):
    """Expected and maximum calibration error, and the Brier score, of softmax probabilities.

    The confidence is the largest probability. Examples are sorted by confidence into bins of equal
    width, open below and closed above; in each bin the mean confidence is compared with the
    accuracy. ``ece`` is the mean absolute difference, weighted by the number of examples; ``mce``
    is the largest. ``brier`` is the mean over examples of the sum over classes of
    (probability - one-hot)^2, from 0 to 2.

    Reference: Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017,
    section 2; Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
    Review 78, 1950.
    """

    def __init__(self, *, bins: int) -> None:
        self.bins = bins

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return each bin's sums (4, bins): examples, confidence, hits and squared errors."""
        return reliability_sums(outputs, targets, self.bins)

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"ece": ..., "mce": ..., "brier": ...}``."""
        count, confidence, hits, errors = sums
        gap = (hits - confidence).abs()  # times the count
        return {
            "ece": float(gap.sum() / examples),
            "mce": float((gap / count.clamp(min=1)).max()),
            "brier": float(errors.sum() / examples),
        }

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the reliability table: mean confidence, accuracy and count of every bin.

        An empty bin has a count of 0 and None for the other values.
        """
        return {"calibration": reliability_table(outputs, targets, self.bins)}
