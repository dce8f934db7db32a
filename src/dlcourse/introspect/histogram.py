"""Histograms of tensors, as a few numbers."""

import torch
from torch import Tensor

from dlcourse.core import at_least_float32

HISTOGRAM_BINS = 40


def histogram(values: Tensor) -> dict[str, Tensor]:
    """Return the counts (40,) of values in bins of equal width between their limits.

    ``{"low": smallest, "high": largest, "counts": ...}``. Nothing is read from the device.
    """
    flat = at_least_float32(values.detach()).flatten()
    low, high = flat.min(), flat.max()
    width = (high - low).clamp(min=1e-30) / HISTOGRAM_BINS
    place = ((flat - low) / width).long().clamp(0, HISTOGRAM_BINS - 1)
    counts = torch.zeros(HISTOGRAM_BINS, dtype=flat.dtype, device=flat.device)
    counts.scatter_add_(0, place, torch.ones_like(flat))
    return {"low": low, "high": high, "counts": counts}
