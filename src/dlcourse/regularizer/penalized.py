"""Parameters that a penalty covers, and the sum over them."""

from collections.abc import Iterable, Iterator
from typing import cast

from torch import Tensor, nn


def penalized(model: nn.Module, all_parameters: bool) -> Iterator[Tensor]:
    """Yield the weight matrices and filters, or with ``all_parameters`` biases and norms too."""
    return (weight for weight in model.parameters() if all_parameters or weight.dim() > 1)


def total(penalties: Iterable[Tensor]) -> Tensor:
    """Return the sum of scalars, one per parameter; 0 without any."""
    return cast(Tensor, sum(penalties))
