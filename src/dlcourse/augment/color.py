"""Brightness, contrast, saturation, hue and sharpness of images, each by a number of its own.

Images are (N, C, H, W) with C = 1 or 3, uint8 or floats from 0 to 255, and come back in their
own type. A factor (N,) of 1 changes nothing, 0 takes all away, and 2 doubles what there is.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.augment.image import as_images


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Scale every value; what exceeds white is white."""
    return blend(torch.zeros_like(images), images, factor)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale every value's difference from the image's mean grey."""
    return blend(grey(images).mean((1, 2, 3), keepdim=True), images, factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Scale every pixel's difference from its own grey; grey images stay as they are."""
    return blend(grey(images), images, factor)


def hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn every pixel's colour around the colour circle; grey images stay as they are.

    turns: (N,), 1 is the whole circle: red becomes green at 1/3 and cyan at 1/2.
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
    """Scale every value's difference from the mean of its neighbourhood; the frame stays.

    Of the 3 x 3 pixels the middle one counts five times. Images of less than 3 x 3 stay.
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
    """Return how bright each pixel looks (N, 1, H, W), as floats; whole numbers for uint8.

    Reference: ITU-R recommendation BT.601, the weights of the three colours.
    """
    if images.shape[1] == 1:
        return images.float()
    red, green, blue = images.float().split(1, dim=1)
    luma = 0.2989 * red + 0.587 * green + 0.114 * blue
    return luma if images.is_floating_point() else luma.floor()


def blend(start: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """Go from ``start`` towards the images, and beyond them for factors above 1."""
    weight = factor[:, None, None, None]
    return as_images(torch.lerp(start.float(), images.float(), weight), images.dtype)
