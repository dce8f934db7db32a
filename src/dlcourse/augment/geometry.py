"""Affine maps of images, with one set of numbers per image."""

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.augment.image import as_images

FLOATS_AT_A_TIME = 2**19  # 2 MiB


def warp(
    images: Tensor,
    interpolation: str,
    *,
    angle: Tensor | float = 0.0,
    right: Tensor | float = 0.0,
    down: Tensor | float = 0.0,
    scale: Tensor | float = 1.0,
    shear_x: Tensor | float = 0.0,
    shear_y: Tensor | float = 0.0,
    about_corner: bool = False,
) -> Tensor:
    """Shear, scale, rotate and then shift images (N, C, H, W); new pixels are black.

    All numbers are one for all images, or (N,).

    interpolation: ``nearest`` or ``bilinear``. angle: clockwise, in radians. right, down: in
    pixels.
    shear_x, shear_y: tangents of the angles by which the y axis and the x axis are tilted.
    about_corner: whether the fixed point is the upper left corner instead of the centre.
    """
    count, _, height, width = images.shape
    zero = torch.zeros(count, device=images.device)
    radians, shear_x, shear_y = zero + angle, zero + shear_x, zero + shear_y
    cos, sin = radians.cos(), radians.sin()
    # The map from output to input pixels: the inverse of shift * turn * scale * shear y * shear x.
    stretch = 1 + shear_x * shear_y
    xx, xy = (stretch * cos - shear_x * sin) / scale, (stretch * sin + shear_x * cos) / scale
    yx, yy = (shear_y * cos - sin) / scale, (shear_y * sin + cos) / scale
    fixed_x, fixed_y = (-width / 2, -height / 2) if about_corner else (0.0, 0.0)
    from_x, from_y = fixed_x + right, fixed_y + down
    x = fixed_x - xx * from_x - xy * from_y
    y = fixed_y - yx * from_x - yy * from_y
    # affine_grid has coordinates from -1 to 1 along both sides
    rows = [xx, xy * height / width, x * 2 / width, yx * width / height, yy, y * 2 / height]
    matrices = torch.stack(rows, dim=1).view(count, 2, 3)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)  # (N, H, W, 2)
    return sample(images, grid, interpolation)


def sample(images: Tensor, grid: Tensor, interpolation: str) -> Tensor:
    """Sample images at the coordinates in ``grid``; return (N, C, H', W').

    grid: (N, H', W', 2), x and y from -1 to 1; beyond that the images are black.

    Large images on the CPU are sampled a few at a time, while their floats are in the processor's
    cache: 1.9 times as fast for 64 of 224 x 224, on one core.
    """
    few = max(FLOATS_AT_A_TIME // images[0].numel(), 1) if len(images) else 1
    if images.device.type == "cpu" and len(images) > few:
        pairs = zip(images.split(few), grid.split(few), strict=True)
        return torch.cat([sample(some, where, interpolation) for some, where in pairs])
    values = F.grid_sample(images.float(), grid, mode=interpolation, align_corners=False)
    return as_images(values, images.dtype)
