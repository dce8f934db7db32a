"""Conversion of computed floats back to images."""

import torch
from torch import Tensor

from dlcourse.core import WHITE


def as_images(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Clip floats to [0, 255] and convert them to the type of the images; round for uint8.

    values: any shape, a temporary tensor: it is rounded in place.
    """
    values = values.clamp(0, WHITE)
    return values if dtype.is_floating_point else values.round_().to(dtype)
