"""Random shift, rotation, scale and shear."""

from typing import Any

import torch
from torch import Tensor

from dlcourse.augment.geometry import warp


def affine(
    inputs: Tensor,
    targets: Tensor,
    *,
    degrees: float,
    translate: float,
    scale: tuple[float, float],
    shear: float,
) -> tuple[Tensor, Tensor]:
    """Rotate, shift, scale and shear each image (N, C, H, W) about its centre.

    degrees: the largest rotation in either direction. translate: the largest shift, as a share of
    width and height. scale: the smallest and the largest factor. shear: the largest horizontal
    shear in degrees. The interpolation is bilinear; new pixels are black.

    Reference: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks applied
    to visual document analysis", ICDAR 2003, section 2; the four options are those of
    torchvision's ``RandomAffine``.
    Departs from it: shifts are not rounded to whole pixels.
    """
    drawn = draw_affine(inputs, degrees, translate, scale, shear)
    return warp(inputs, "bilinear", **drawn), targets


def draw_affine(
    images: Tensor, degrees: float, translate: float, scale: tuple[float, float], shear: float
) -> dict[str, Any]:
    """Draw the arguments (N,) of ``warp``, each uniform over its range."""
    count, _, height, width = images.shape
    angle, right, down, lean = 2 * torch.rand(4, count, device=images.device) - 1
    smallest, largest = scale
    return {
        "angle": (degrees * angle).deg2rad(),
        "right": translate * width * right,
        "down": translate * height * down,
        "scale": smallest + (largest - smallest) * torch.rand(count, device=images.device),
        "shear_x": (shear * lean).deg2rad().tan(),
    }
