"""Accuracy."""

from torch import Tensor


class Accuracy:
    """The share of examples, from 0 to 1, whose largest output is their class."""

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return how many of (N, K) outputs have their maximum at the target (N,)."""
        return (outputs.argmax(1) == targets).sum()

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"accuracy": share}``."""
        return {"accuracy": float(sums) / examples}
