"""No clipping."""

from collections.abc import Iterable

from torch import Tensor


def none(parameters: Iterable[Tensor]) -> None:
    """Leave the gradients as they are."""
