"""Count what a classifier gets right: confusion, rates of each class, calibration, mistakes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

RELIABILITY_BINS = 15  # of equal width, for the confidence
MOST_MISTAKES = 25


def as_probabilities(outputs: Tensor, task: str) -> Tensor:
    """Return what a model predicts from its outputs (N, K).

    classification: the softmax, a share for each class. multilabel: the sigmoid, the probability of
    each class by itself. regression: the outputs.
    """
    if task == "multilabel":
        return outputs.sigmoid()
    return outputs.softmax(1) if task == "classification" else outputs


def true_class(targets: Tensor) -> Tensor:
    """Return the classes (N,): as given, or the most probable ones of mixed targets (N, K)."""
    return targets if targets.dim() == 1 else targets.argmax(1)


def confusion_counts(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the counts (K, K) of true class (row) against predicted class (column).

    outputs: (N, K). targets: (N,) classes, or (N, K) probabilities.
    """
    classes = outputs.shape[1]
    cell = true_class(targets) * classes + outputs.argmax(1)  # (N,)
    counts = torch.zeros(classes * classes, dtype=torch.int64, device=outputs.device)
    return counts.scatter_add_(0, cell, torch.ones_like(cell)).view(classes, classes)


def class_rates(counts: Tensor) -> dict[str, Tensor]:
    """Return precision, recall and F1 (K,) of every class from the counts (K, K)."""
    hits, true, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    return {
        "precision": hits / predicted.clamp(min=1),
        "recall": hits / true.clamp(min=1),
        "f1": 2 * hits / (true + predicted).clamp(min=1),
    }


def chance_corrected(counts: Tensor) -> dict[str, float]:
    """Return Cohen's kappa and the Matthews correlation from the counts (K, K).

    Both are 0 for guessing and 1 for no mistake. Where one of them is undefined, because there is
    or is predicted a single class only, it is 0.
    """
    total, hits = float(counts.sum()), float(counts.diagonal().sum())
    true, predicted = counts.sum(1).double(), counts.sum(0).double()
    by_chance = float(true @ predicted)  # hits of guessing, times the total
    spread = (total**2 - float(true @ true)) * (total**2 - float(predicted @ predicted))
    above = hits * total - by_chance
    room = total**2 - by_chance
    return {
        "kappa": above / room if room > 0 else 0.0,
        "matthews": above / spread**0.5 if spread > 0 else 0.0,
    }


def confusion_report(outputs: Tensor, targets: Tensor) -> dict[str, Any]:
    """Return the counts as ``confusion`` and the rates of every class as ``per_class``.

    ``support`` is the number of examples of a class.
    """
    counts = confusion_counts(outputs, targets)
    metrics = class_rates(counts.double()) | {"support": counts.sum(1)}
    return {
        "confusion": counts.tolist(),
        "per_class": {name: values.tolist() for name, values in metrics.items()},
    }


def reliability_sums(outputs: Tensor, targets: Tensor, bins: int) -> Tensor:
    """Return the sums (4, bins) of examples, confidence, hits and squared errors.

    The confidence of an example is its largest softmax probability, which decides its bin: bins
    have equal width, open below and closed above.
    """
    probabilities, classes = outputs.double().softmax(1), true_class(targets)
    confidence = probabilities.amax(1)  # (N,)
    hits = (outputs.argmax(1) == classes).double()
    errors = (probabilities - F.one_hot(classes, outputs.shape[1])).square().sum(1)
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=outputs.device)
    place = F.one_hot(torch.bucketize(confidence, edges[1:-1]), bins)  # (N, bins)
    columns = torch.stack([torch.ones_like(hits), confidence, hits, errors])  # (4, N)
    return columns @ place.double()


def reliability_table(
    outputs: Tensor, targets: Tensor, bins: int = RELIABILITY_BINS
) -> Mapping[str, list]:
    """Return the mean ``confidence``, the ``accuracy`` and the ``count`` of every bin.

    An empty bin has a count of 0 and None for the other values.
    """
    count, confidence, hits, _ = reliability_sums(outputs, targets, bins).tolist()
    numbers = range(bins)
    return {
        "confidence": [confidence[b] / count[b] if count[b] else None for b in numbers],
        "accuracy": [hits[b] / count[b] if count[b] else None for b in numbers],
        "count": [round(examples) for examples in count],
    }


def confident_mistakes(
    outputs: Tensor, targets: Tensor, most: int = MOST_MISTAKES
) -> list[tuple[int, int, int, float, float]]:
    """Return the most confidently wrong examples; without mistakes, the least confident ones.

    Each is its position, its true and its predicted class, and their softmax probabilities. The
    mistakes are in descending order of the probability of the predicted class; if every example is
    correct, the list has those whose class has the smallest probability.

    outputs: (N, K). targets: (N,) classes, or (N, K) probabilities.
    """
    probabilities, classes = outputs.double().softmax(1), true_class(targets)
    confidence, predicted = probabilities.max(1)
    wrong = (predicted != classes).nonzero().flatten()
    if len(wrong):
        order = wrong[confidence[wrong].argsort(descending=True, stable=True)]
    else:
        order = confidence.argsort(stable=True)
    return [
        (n, own, given, float(probabilities[n, own]), float(probabilities[n, given]))
        for n, own, given in zip(
            *(part[order[:most]].tolist() for part in (torch.arange(len(classes)), classes)),
            predicted[order[:most]].tolist(),
            strict=True,
        )
    ]
