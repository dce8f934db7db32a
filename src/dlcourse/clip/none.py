"""No clipping."""

from torch import nn


def none(model: nn.Module) -> None:
    """Leave the gradients as they are."""
