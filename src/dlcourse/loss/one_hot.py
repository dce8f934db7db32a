"""Targets as one-hot vectors."""

from torch import Tensor
from torch.nn import functional as F


def one_hot(targets: Tensor, outputs: Tensor) -> Tensor:
    """Return classes (N,) as one-hot rows (N, K) like the outputs; (N, K) targets are only cast."""
    if targets.dim() == 1:
        targets = F.one_hot(targets, outputs.shape[1])  # (N, K)
    return targets.to(outputs.dtype)
