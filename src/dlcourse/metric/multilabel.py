"""Metrics of examples that can have several classes."""

import torch
from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.several_classes import (
    HALF,
    Counts,
    class_counts,
    f1_of_examples,
    predicted_classes,
    several_classes_report,
    several_rates,
)
from dlcourse.metric.average_precision import exact_average_precision


class Multilabel(Metric):
    """How many classes of the examples are found, and how many of those found are right.

    A class is predicted where the sigmoid of its output is at least ``threshold``.

    - ``exact_match``: the share of examples with exactly their classes predicted (subset accuracy).
    - ``label_accuracy``: the share of all N K decisions that are right, one minus the Hamming loss.
    - ``precision``, ``recall``, ``f1_macro``: the means over classes. A class that neither occurs
      nor is predicted is left out; other divisions by zero count as 0.
    - ``f1_micro``: F1 of all decisions together. ``f1_samples``: the mean over examples of F1 of
      their classes, 1 for an example without classes where none is predicted.

    Reference: Tsoumakas, Katakis, "Multi-label classification: an overview", International Journal
    of Data Warehousing and Mining 3(3), 2007.
    """

    def __init__(self, *, threshold: float) -> None:
        self.threshold = threshold

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sums (3 K + 3,): three counts of each class, then those over examples."""
        predicted, own = predicted_classes(outputs, self.threshold), targets > HALF
        right = predicted == own
        of_examples = torch.stack(
            [right.all(1).double().sum(), right.double().sum(),
             f1_of_examples(predicted, own).double().sum()]
        )  # fmt: skip
        return torch.cat([*(one.double() for one in class_counts(predicted, own)), of_examples])

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return the seven values."""
        counts = Counts(*sums[:-3].view(3, -1))
        exact, right, f1_samples = sums[-3:].tolist()
        seen = counts.true + counts.predicted > 0
        macro = {
            name: float(values[seen].mean()) if seen.any() else 0.0
            for name, values in several_rates(counts).items()
        }
        all_counts = Counts(*(one.sum() for one in counts))
        return {
            "exact_match": exact / examples,
            "label_accuracy": right / (examples * len(counts.true)),
            "precision": macro["precision"],
            "recall": macro["recall"],
            "f1_macro": macro["f1"],
            "f1_micro": float(several_rates(all_counts)["f1"]),
            "f1_samples": f1_samples / examples,
        }

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the metrics of every class, its counts, and its exact average precision."""
        own, probabilities = targets > HALF, outputs.double().sigmoid()
        return several_classes_report(outputs, targets, self.threshold) | exact_average_precision(
            probabilities, own
        )
