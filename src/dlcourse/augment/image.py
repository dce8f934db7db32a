"""Images that come out of a computation with floats."""

import torch
from torch import Tensor

from dlcourse.core import WHITE


def as_images(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Return floats from black to white in the type of the images they come from.

    What lies beyond black or white is cut; for uint8 the values are rounded.
    """
    values = values.clamp(0, WHITE)
    return values if dtype.is_floating_point else values.round_().to(dtype)
