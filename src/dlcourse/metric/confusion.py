"""The confusion matrix, precision, recall and F1."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.classification import class_rates, confusion_counts, confusion_report


class Confusion(Metric):
    """Counts of true class (row) against predicted class (column), and macro averages of them.

    Precision of a class: the share of its predictions that are correct. Recall: the share of its
    examples that are predicted correctly. F1: their harmonic mean. A class that neither occurs nor
    is predicted is left out of the averages; other divisions by zero count as 0.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the counts (K, K) of (N, K) outputs and (N,) targets."""
        return confusion_counts(outputs, targets)

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"precision": ..., "recall": ..., "f1": ...}``, each the mean over classes."""
        seen = (sums.sum(0) + sums.sum(1)) > 0
        return {name: float(values[seen].mean()) for name, values in class_rates(sums).items()}

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the counts as ``confusion`` and the metrics of every class as ``per_class``.

        ``support`` is the number of examples of a class.
        """
        return confusion_report(outputs, targets)
