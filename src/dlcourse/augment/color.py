"""Brightness, contrast, saturation, hue and sharpness of pictures, each by a number of its own.

Pictures are (N, C, H, W) with C = 1 or 3, uint8 or floats from 0 to 255, and come back in their
own type. A factor (N,) of 1 changes nothing, 0 takes all away, and 2 doubles what there is.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.augment.image import as_pictures


def brightness(pictures: Tensor, factor: Tensor) -> Tensor:
    """Scale every value; what exceeds white is white."""
    return blend(torch.zeros_like(pictures), pictures, factor)


def contrast(pictures: Tensor, factor: Tensor) -> Tensor:
    """Scale every value's difference from the picture's mean grey."""
    return blend(grey(pictures).mean((1, 2, 3), keepdim=True), pictures, factor)


def saturation(pictures: Tensor, factor: Tensor) -> Tensor:
    """Scale every pixel's difference from its own grey; grey pictures stay as they are."""
    return blend(grey(pictures), pictures, factor)


def hue(pictures: Tensor, turns: Tensor) -> Tensor:
    """Turn every pixel's colour around the colour circle; grey pictures stay as they are.

    turns: (N,), 1 is the whole circle: red becomes green at 1/3 and cyan at 1/2.
    """
    if pictures.shape[1] == 1:
        return pictures
    red, green, blue = values = pictures.float().unbind(1)
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
    return as_pictures(shifted, pictures.dtype)


def sharpness(pictures: Tensor, factor: Tensor) -> Tensor:
    """Scale every value's difference from the mean of its neighbourhood; the frame stays.

    Of the 3 x 3 pixels the middle one counts five times. Pictures of less than 3 x 3 stay.
    """
    if min(pictures.shape[-2:]) < 3:
        return pictures
    inner = pictures[..., 1:-1, 1:-1].float()
    smooth = (9 * F.avg_pool2d(pictures.float(), 3, stride=1) + 4 * inner) / 13
    smooth = as_pictures(smooth, pictures.dtype)
    sharpened = pictures.clone()
    sharpened[..., 1:-1, 1:-1] = blend(smooth, pictures[..., 1:-1, 1:-1], factor)
    return sharpened


def grey(pictures: Tensor) -> Tensor:
    """Return how bright each pixel looks (N, 1, H, W), as floats; whole numbers for uint8.

    Reference: ITU-R recommendation BT.601, the weights of the three colours.
    """
    if pictures.shape[1] == 1:
        return pictures.float()
    red, green, blue = pictures.float().split(1, dim=1)
    luma = 0.2989 * red + 0.587 * green + 0.114 * blue
    return luma if pictures.is_floating_point() else luma.floor()


def blend(start: Tensor, pictures: Tensor, factor: Tensor) -> Tensor:
    """Go from ``start`` towards the pictures, and beyond them for factors above 1."""
    weight = factor[:, None, None, None]
    return as_pictures(torch.lerp(start.float(), pictures.float(), weight), pictures.dtype)
