"""The class of an example."""

from torch import Tensor


def true_class(targets: Tensor) -> Tensor:
    """Return the classes (N,): as given, or the most probable ones of mixed targets (N, K)."""
    return targets if targets.dim() == 1 else targets.argmax(1)
