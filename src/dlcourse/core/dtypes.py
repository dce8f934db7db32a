"""Floating point types of devices."""

from collections.abc import Callable

import torch
from torch import Tensor


def has_float64(device: torch.device) -> bool:
    """Return whether a device supports float64; Apple's GPUs do not."""
    return device.type != "mps"


def at_least_float32(values: Tensor) -> Tensor:
    """Return half-precision floats as float32, and float64 as it is."""
    return values if values.dtype == torch.float64 else values.float()


def with_float64_targets(
    loss: Callable[[Tensor, Tensor], Tensor], outputs: Tensor, targets: Tensor
) -> Tensor:
    """Return a loss of float64 outputs; floating-point targets are converted to float64.

    These are the values of a regression, or class probabilities.
    """
    return loss(outputs, targets.double() if targets.is_floating_point() else targets)
