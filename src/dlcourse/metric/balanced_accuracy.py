"""Balanced accuracy."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.classification import class_rates, confusion_counts


class BalancedAccuracy(Metric):
    """The mean of the recalls of all classes that occur, from 0 to 1.

    Guessing has 1 / K with any number of examples of each class, where the accuracy of always
    predicting the largest class is its share.

    Reference: Brodersen, Ong, Stephan, Buhmann, "The balanced accuracy and its posterior
    distribution", ICPR 2010.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the counts (K, K) of (N, K) outputs and (N,) targets."""
        return confusion_counts(outputs, targets)

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"balanced_accuracy": mean recall}``."""
        recalls = class_rates(sums)["recall"][sums.sum(1) > 0]
        return {"balanced_accuracy": float(recalls.double().mean())}
