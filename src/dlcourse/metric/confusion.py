"""The confusion matrix, precision, recall and F1."""

import torch
from torch import Tensor

from dlcourse.core import Metric
from dlcourse.metric.classes import true_class


class Confusion(Metric):
    """Counts of true class (row) against predicted class (column), and macro averages of them.

    Precision of a class: the share of its predictions that are correct. Recall: the share of its
    examples that are predicted correctly. F1: their harmonic mean. A class that neither occurs nor
    is predicted is left out of the averages; other divisions by zero count as 0.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the counts (K, K) of (N, K) outputs and (N,) targets."""
        classes = outputs.shape[1]
        cell = true_class(targets) * classes + outputs.argmax(1)  # (N,)
        counts = torch.zeros(classes * classes, dtype=torch.int64, device=outputs.device)
        return counts.scatter_add_(0, cell, torch.ones_like(cell)).view(classes, classes)

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"precision": ..., "recall": ..., "f1": ...}``, each the mean over classes."""
        seen = (sums.sum(0) + sums.sum(1)) > 0
        return {name: float(values[seen].mean()) for name, values in rates(sums).items()}

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the counts as ``confusion`` and the metrics of every class as ``per_class``.

        ``support`` is the number of examples of a class.
        """
        counts = self.measure(outputs, targets)
        metrics = rates(counts.double()) | {"support": counts.sum(1)}
        return {
            "confusion": counts.tolist(),
            "per_class": {name: values.tolist() for name, values in metrics.items()},
        }


def rates(counts: Tensor) -> dict[str, Tensor]:
    """Return precision, recall and F1 (K,) of every class from the counts (K, K)."""
    hits, true, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    return {
        "precision": hits / predicted.clamp(min=1),
        "recall": hits / true.clamp(min=1),
        "f1": 2 * hits / (true + predicted).clamp(min=1),
    }
