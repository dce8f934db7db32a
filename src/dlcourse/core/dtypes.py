"""Floating point types of devices."""

import torch
from torch import Tensor


def has_float64(device: torch.device) -> bool:
    """Return whether a device supports float64; Apple's GPUs do not."""
    return device.type != "mps"


def at_least_float32(values: Tensor) -> Tensor:
    """Return half-precision floats as float32, and float64 as it is."""
    return values if values.dtype == torch.float64 else values.float()
