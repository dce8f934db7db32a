"""Grey levels of pictures, dealt out anew: posterize, solarize, stretch, equalize.

Pictures are (N, C, H, W), uint8 or floats from 0 to 255, and come back in their own type.
"""

import torch
from torch import Tensor

from dlcourse.augment.image import as_pictures
from dlcourse.core import WHITE

LEVELS = 256


def posterize(pictures: Tensor, bits: Tensor) -> Tensor:
    """Keep the first ``bits`` (N,) of the eight bits of every value."""
    step = (2 ** (8 - bits))[:, None, None, None]
    return as_pictures((pictures.float() / step).floor() * step, pictures.dtype)


def solarize(pictures: Tensor, threshold: Tensor) -> Tensor:
    """Turn every value from ``threshold`` (N,) on into its negative."""
    values = pictures.float()
    bright = values >= threshold[:, None, None, None]
    return as_pictures(torch.where(bright, WHITE - values, values), pictures.dtype)


def stretch(pictures: Tensor) -> Tensor:
    """Stretch each channel's values from its darkest to its brightest over black to white.

    A channel of one value stays as it is.
    """
    values = pictures.float()
    darkest = values.amin((2, 3), keepdim=True)
    span = values.amax((2, 3), keepdim=True) - darkest
    stretched = (values - darkest) * WHITE / span.where(span > 0, 1.0)
    return as_pictures(stretched.where(span > 0, values), pictures.dtype)


def equalize(pictures: Tensor) -> Tensor:
    """Make all grey levels of a channel about equally frequent.

    A pixel's new level is the share of the channel's pixels that are darker than it, where the
    brightest do not count, rounded as Pillow does. A channel with less than 255 pixels besides its
    brightest ones stays as it is; floats are rounded to whole levels.
    """
    count, channels = pictures.shape[:2]
    level = as_pictures(pictures, torch.uint8).long().flatten(2)  # (N, C, H * W)
    channel = torch.arange(count * channels, device=pictures.device).view(count, channels, 1)
    cell = (LEVELS * channel + level).flatten()
    pixels = torch.zeros(count * channels * LEVELS, dtype=torch.long, device=pictures.device)
    pixels.scatter_add_(0, cell, torch.ones_like(cell))  # in one dimension it is deterministic
    pixels = pixels.view(count, channels, LEVELS)
    darker = pixels.cumsum(-1) - pixels  # of each level, how many pixels are darker
    step = darker.gather(-1, level.amax(-1, keepdim=True)) // (LEVELS - 1)  # pixels per new level
    new_level = (darker + step // 2) // step.clamp(min=1)  # (N, C, 256)
    equalized = torch.where(step > 0, new_level.gather(-1, level), level)
    return as_pictures(equalized, pictures.dtype).view_as(pictures)
