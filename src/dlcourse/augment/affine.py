"""Small shifts, turns, scales and shears."""

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
    """Turn, shift, scale and shear each image (N, C, H, W) about its middle; black comes in.

    degrees: the largest turn either way. translate: the largest shift, a share of width and height.
    scale: the smallest and the largest factor. shear: how many degrees upright lines may lean.
    Colours between pixels are interpolated bilinearly.

    Reference: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks applied
    to visual document analysis", ICDAR 2003, section 2; the four strengths are those of
    torchvision's ``RandomAffine``.
    Departs from it: shifts are not rounded to whole pixels.
    """
    drawn = draw_affine(inputs, degrees, translate, scale, shear)
    return warp(inputs, "bilinear", **drawn), targets


def draw_affine(
    images: Tensor, degrees: float, translate: float, scale: tuple[float, float], shear: float
) -> dict[str, Tensor]:
    """Return what ``warp`` takes, evenly spread over the allowed ranges, (N,) of each."""
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
