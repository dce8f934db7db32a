"""Count what a classifier gets right where an example can have several classes."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

HALF = 0.5  # a class of a mixed example counts if it has at least this share


class Counts(NamedTuple):
    """Sums over examples, each (K,): examples with a class, its predictions, and both."""

    true: Tensor
    predicted: Tensor
    hits: Tensor


def predicted_classes(outputs: Tensor, threshold: float) -> Tensor:
    """Return which classes are predicted, (N, K) bool: their sigmoid is at least the threshold."""
    return outputs.sigmoid() >= threshold


def class_counts(predicted: Tensor, own: Tensor) -> Counts:
    """Return the counts of each class. predicted, own: (N, K) bool."""
    return Counts(own.sum(0), predicted.sum(0), (predicted & own).sum(0))


def several_rates(counts: Counts) -> dict[str, Tensor]:
    """Return precision, recall and F1 (K,) of every class; a division by zero counts as 0."""
    true, predicted, hits = counts
    return {
        "precision": hits / predicted.clamp(min=1),
        "recall": hits / true.clamp(min=1),
        "f1": 2 * hits / (true + predicted).clamp(min=1),
    }


def f1_of_examples(predicted: Tensor, own: Tensor) -> Tensor:
    """Return F1 (N,) of the classes of each example; 1 where it has none and none is predicted."""
    both, total = (predicted & own).sum(1), predicted.sum(1) + own.sum(1)
    return (2 * both / total.clamp(min=1)).where(total > 0, 1.0)


def several_classes_report(outputs: Tensor, targets: Tensor, threshold: float) -> dict[str, Any]:
    """Return each class's rates as ``per_class`` and its four counts as ``confusion_2x2``.

    Each of the latter is [[neither, only predicted], [only true, both]].
    """
    predicted, own = predicted_classes(outputs, threshold), targets > HALF
    counts = class_counts(predicted, own)
    only_true, only_predicted = counts.true - counts.hits, counts.predicted - counts.hits
    neither = len(own) - only_true - only_predicted - counts.hits
    cells = torch.stack([neither, only_predicted, only_true, counts.hits], 1)  # (K, 4)
    named = several_rates(Counts(*(one.double() for one in counts))) | {"support": counts.true}
    return {
        "confusion_2x2": cells.view(-1, 2, 2).tolist(),
        "per_class": {name: values.tolist() for name, values in named.items()},
        "threshold": threshold,
    }


def class_list(chosen: Iterable[bool] | Tensor, classes: Sequence[str]) -> str:
    """Return the names of an example's classes as ``cat, dog``; ``none`` without any."""
    names = [name for name, has in zip(classes, chosen, strict=True) if has]
    return ", ".join(names) or "none"
