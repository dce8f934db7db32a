"""Operations on grey levels: posterize, solarize, stretch, equalize.

Images are (N, C, H, W), uint8 or floats from 0 to 255; the results have the same type.
"""

import torch
from torch import Tensor

from dlcourse.augment.image import as_images
from dlcourse.core import WHITE

LEVELS = 256


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the ``bits`` (N,) most significant of the eight bits of every value."""
    step = (2 ** (8 - bits))[:, None, None, None]
    return as_images((images.float() / step).floor() * step, images.dtype)


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert every value that is at least ``threshold`` (N,)."""
    values = images.float()
    bright = values >= threshold[:, None, None, None]
    return as_images(torch.where(bright, WHITE - values, values), images.dtype)


def stretch(images: Tensor) -> Tensor:
    """Scale each channel linearly so that its smallest value is black and its largest is white.

    A constant channel does not change.
    """
    values = images.float()
    darkest = values.amin((2, 3), keepdim=True)
    span = values.amax((2, 3), keepdim=True) - darkest
    stretched = (values - darkest) * WHITE / span.where(span > 0, 1.0)
    return as_images(stretched.where(span > 0, values), images.dtype)


def equalize(images: Tensor) -> Tensor:
    """Equalize the histogram of each channel.

    A pixel's new level is the share of the channel's pixels that are darker than it, not counting
    the pixels of the brightest level, rounded as in Pillow. A channel with fewer than 255 pixels
    below its brightest level does not change; floats are rounded to whole levels.
    """
    count, channels = images.shape[:2]
    level = as_images(images, torch.uint8).long().flatten(2)  # (N, C, H * W)
    channel = torch.arange(count * channels, device=images.device).view(count, channels, 1)
    cell = (LEVELS * channel + level).flatten()
    pixels = torch.zeros(count * channels * LEVELS, dtype=torch.long, device=images.device)
    pixels.scatter_add_(0, cell, torch.ones_like(cell))  # deterministic on CUDA in one dimension
    pixels = pixels.view(count, channels, LEVELS)
    darker = pixels.cumsum(-1) - pixels  # number of darker pixels, per level
    step = darker.gather(-1, level.amax(-1, keepdim=True)) // (LEVELS - 1)  # pixels per new level
    new_level = (darker + step // 2) // step.clamp(min=1)  # (N, C, 256)
    equalized = torch.where(step > 0, new_level.gather(-1, level), level)
    return as_images(equalized, images.dtype).view_as(images)
