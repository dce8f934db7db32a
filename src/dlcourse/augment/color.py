"""Brightness, contrast, saturation, hue and sharpness, with one factor per image.

Images are (N, C, H, W) with C = 1 or 3, uint8 or floats from 0 to 255; the results have the same
type. A factor (N,) of 1 changes nothing, 0 removes the property, and 2 doubles it.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.augment.image import as_images


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply every value by the factor, clipped at white."""
    return blend(torch.zeros_like(images), images, factor)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale every value's difference from the mean grey value of the image."""
    return blend(grey(images).mean((1, 2, 3), keepdim=True), images, factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Scale every pixel's difference from its own grey value; grey images do not change."""
    return blend(grey(images), images, factor)


def hue(images: Tensor, turns: Tensor) -> Tensor:
    """Shift the hue of every pixel; grey images do not change.

    turns: (N,), 1 is the whole colour circle: red becomes green at 1/3 and cyan at 1/2.
    """
    if images.shape[1] == 1:
        return images
    red, green, blue = values = images.float().unbind(1)
    brightest = torch.stack(values).amax(0)
    chroma = brightest - torch.stack(values).amin(0)
    divisor = chroma.where(chroma > 0, 1.0)
    sextant = torch.where(
        brightest == red,
        (green - blue) / divisor,
        torch.where(brightest == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )  # (N, H, W), the hue in sixths of the circle, red at 0
    sextant = sextant + 6 * turns[:, None, None]
    distance = torch.stack([sextant + start for start in (5, 3, 1)], dim=1).remainder(6)
    share = torch.minimum(distance, 4 - distance).clamp(0, 1)
    shifted = brightest.unsqueeze(1) - chroma.unsqueeze(1) * share  # (N, 3, H, W)
    return as_images(shifted, images.dtype)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Scale every value's difference from the mean of its 3 x 3 neighbourhood.

    The central pixel has a weight of 5, the others of 1. Pixels at the border, and images smaller
    than 3 x 3, do not change.
    """
    if min(images.shape[-2:]) < 3:
        return images
    inner = images[..., 1:-1, 1:-1].float()
    smooth = (9 * F.avg_pool2d(images.float(), 3, stride=1) + 4 * inner) / 13
    smooth = as_images(smooth, images.dtype)
    sharpened = images.clone()
    sharpened[..., 1:-1, 1:-1] = blend(smooth, images[..., 1:-1, 1:-1], factor)
    return sharpened


def grey(images: Tensor) -> Tensor:
    """Return the luma (N, 1, H, W) as floats; whole numbers for uint8 images.

    Reference: ITU-R recommendation BT.601, the weights of the three colours.
    """
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images.float().split(1, dim=1)
    luma = 0.2989 * red + 0.587 * green + 0.114 * blue
    return luma if images.is_floating_point() else luma.floor()


def blend(start: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """Interpolate from ``start`` (factor 0) to the images (factor 1), or extrapolate beyond."""
    weight = factor[:, None, None, None]
    return as_images(torch.lerp(start.float(), images.float(), weight), images.dtype)
