"""Which parameters a penalty covers."""

from collections.abc import Iterator

from torch import Tensor, nn


def penalized(model: nn.Module, all_parameters: bool) -> Iterator[Tensor]:
    """Yield the weight matrices and filters, or with ``all_parameters`` biases and norms too."""
    return (weight for weight in model.parameters() if all_parameters or weight.dim() > 1)
