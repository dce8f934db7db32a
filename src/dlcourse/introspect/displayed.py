"""Convert raw images to arrays that can be drawn."""

import numpy as np
from torch import Tensor

from dlcourse.core import WHITE


def displayed(inputs: Tensor) -> list[np.ndarray]:
    """Return raw images (N, C, H, W), values 0 to 255, as (H, W) or (H, W, 3) from 0 to 1.

    Of images with other than three channels, the mean of the channels is shown.
    """
    pixels = (inputs.detach().float() / WHITE).clamp(0, 1).cpu()
    if pixels.shape[1] == 3:
        return list(pixels.permute(0, 2, 3, 1).numpy())
    return list(pixels.mean(1).numpy())
