"""Accuracy."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.classification import true_class


class Accuracy(Metric):
    """The share of examples, from 0 to 1, whose largest output is that of their class."""

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the number () of outputs (N, K) whose maximum is at the target (N,)."""
        return (outputs.argmax(1) == true_class(targets)).sum()

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"accuracy": share}``."""
        return {"accuracy": float(sums) / examples}
