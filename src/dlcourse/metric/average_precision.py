"""Average precision, one class against the rest."""

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.core import Metric
from dlcourse.introspect.classification import true_class

CURVE_POINTS = 200  # of a stored curve, at most
TEMPERATURE = 4  # spreads probabilities near 0 and 1 over more bins


class AveragePrecision(Metric):
    """The mean over classes of the average precision (mAP), from 0 to 1.

    Examples are sorted by their softmax probability of a class. With precision P and recall R at
    each threshold, the class's average precision is the sum of (R_n - R_(n-1)) P_n: the area under
    the precision-recall curve without interpolation. Classes without examples are not counted.

    The value of an epoch is computed from a histogram of the probabilities with ``bins`` bins,
    whose counts can be summed over batches; probabilities in the same bin count as equal. With
    1,000 bins and 5,000 synthetic examples it was 0.0002 to 0.003 below the exact value, and 0.008
    where nearly all probabilities were 0 or 1. ``full`` is exact.

    Reference: Salton, McGill, "Introduction to modern information retrieval", 1983, chapter 5.
    """

    def __init__(self, *, bins: int) -> None:
        self.bins = bins

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the histograms (2, K, bins) of other examples and of each class's own examples."""
        classes = outputs.shape[1]
        own = self.own(targets, classes).long()  # (N, K)
        row = own * classes + torch.arange(classes, device=outputs.device)  # (N, K)
        cell = (row * self.bins + self.bin_of(outputs)).flatten()
        counts = torch.zeros(2 * classes * self.bins, dtype=torch.int64, device=outputs.device)
        counts.scatter_add_(0, cell, torch.ones_like(cell))
        return counts.view(2, classes, self.bins)

    def own(self, targets: Tensor, classes: int) -> Tensor:
        """Return which classes each example has: (N, K), 0 or 1."""
        return F.one_hot(true_class(targets), classes)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each class (N, K), float64."""
        return outputs.double().softmax(1)

    def bin_of(self, outputs: Tensor) -> Tensor:
        """Return the bins (N, K) of the probabilities, in ascending order.

        The bins have equal widths in p^(1/4) / (p^(1/4) + (1 - p)^(1/4)), which increases with p
        and is finer near 0 and 1, where most probabilities are.
        """
        log_odds = self.probabilities(outputs).logit()
        height = torch.sigmoid(log_odds / TEMPERATURE).nan_to_num(0)
        return (height * self.bins).long().clamp(max=self.bins - 1)

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"average_precision": mean over classes}``."""
        gained = sums[1].flip(1)  # (K, bins), in descending order
        others, own = sums.flip(2).cumsum(2)
        precision = own / (own + others).clamp(min=1)
        present = gained.sum(1) > 0
        areas = (precision * gained).sum(1)[present] / gained.sum(1)[present]
        return {"average_precision": float(areas.mean())}

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the exact average precision of every class; see ``exact_average_precision``."""
        own = self.own(targets, outputs.shape[1]).bool()
        return exact_average_precision(self.probabilities(outputs), own)


def exact_average_precision(probabilities: Tensor, own: Tensor) -> dict:
    """Return the average precision of every class, their mean and the curves.

    ``curves`` holds recall and precision of each class at up to 200 descending thresholds, rounded
    to four digits. A class without examples has None.

    probabilities: (N, K). own: (N, K) bool, which classes each example has.
    """
    areas: list[float | None] = []
    curves: list[dict[str, list[float]] | None] = []
    for score, of_class in zip(probabilities.T, own.T, strict=True):
        if not of_class.any():
            areas.append(None)
            curves.append(None)
            continue
        recall, precision = precision_recall(score, of_class)
        gained = recall.diff(prepend=recall.new_zeros(1))
        areas.append(float((gained * precision).sum()))
        curves.append({"recall": thinned(recall), "precision": thinned(precision)})
    present = [area for area in areas if area is not None]
    macro = sum(present) / len(present) if present else None
    return {"average_precision": {"macro": macro, "per_class": areas, "curves": curves}}


def precision_recall(score: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Return recall and precision (T,) at the descending thresholds at which the recall increases.

    score: (N,). own: (N,) bool, whether an example belongs to the class; at least one does. Equal
    scores have a common threshold.
    """
    score, order = score.sort(descending=True)
    found = own[order].double().cumsum(0)
    last = torch.ones_like(own)
    last[:-1] = score[1:] != score[:-1]
    above = torch.arange(1, len(score) + 1)[last]
    found = found[last]
    rises = found.diff(prepend=found.new_zeros(1)) > 0
    return (found / found[-1])[rises], (found / above)[rises]


def thinned(values: Tensor) -> list[float]:
    """Return at most ``CURVE_POINTS`` evenly spaced values, including the first and the last."""
    chosen = torch.linspace(0, len(values) - 1, min(len(values), CURVE_POINTS)).round().long()
    return [round(value, 4) for value in values[chosen].tolist()]
