"""Confusion counts, and what follows from them."""

import torch
from torch import Tensor


class Confusion:
    """Counts of true class (row) against predicted class (column), and macro averages of them.

    Precision of a class: how many of those predicted as it are. Recall: how many of its examples
    are predicted as it. F1: their harmonic mean. A class that never occurs and is never predicted
    has none of them and is left out of the averages; a division by zero elsewhere counts as 0.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the counts (K, K) of (N, K) outputs and (N,) targets."""
        classes = outputs.shape[1]
        cell = targets * classes + outputs.argmax(1)  # (N,)
        counts = torch.zeros(classes * classes, dtype=torch.int64, device=outputs.device)
        return counts.scatter_add_(0, cell, torch.ones_like(cell)).view(classes, classes)

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"precision": ..., "recall": ..., "f1": ...}``, each the mean over classes."""
        hits, true, predicted = sums.diagonal(), sums.sum(1), sums.sum(0)
        seen = (true + predicted) > 0
        precision = (hits / predicted.clamp(min=1))[seen]
        recall = (hits / true.clamp(min=1))[seen]
        f1 = (2 * hits / (true + predicted).clamp(min=1))[seen]
        figures = {"precision": precision, "recall": recall, "f1": f1}
        return {name: float(figure.mean()) for name, figure in figures.items()}
