"""Size and channels of image tensors."""

import torch
from torch import Tensor
from torch.nn import functional as F

CHUNK = 1024  # examples that are converted to floats at a time


def convert(images: Tensor, size: int, channels: int) -> Tensor:
    """Resize uint8 images (N, C, H, W) to (N, channels, size, size), bilinearly with antialiasing.

    Three channels become one by their luma; one channel is repeated to three.
    """
    if images.shape[1:] == (channels, size, size):
        return images
    converted = torch.empty(len(images), channels, size, size, dtype=torch.uint8)
    for target, source in zip(converted.split(CHUNK), images.split(CHUNK), strict=True):
        if channels < source.shape[1]:
            source = luma(source)
        target.copy_(resize(source, size))  # one channel broadcasts to three
    return converted


def luma(images: Tensor) -> Tensor:
    """Return the brightness (N, 1, H, W) of uint8 images (N, 3, H, W) as Pillow computes it.

    Reference: ITU-R Recommendation BT.601: 0.299 red + 0.587 green + 0.114 blue, here in steps of
    1 / 65,536.
    """
    red, green, blue = images.int().split(1, dim=1)  # each (N, 1, H, W)
    return ((19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16).byte()


def resize(images: Tensor, size: int) -> Tensor:
    """Resize uint8 images (N, C, H, W) to (N, C, size, size), bilinearly with antialiasing."""
    if images.shape[-2:] == (size, size):
        return images
    resized = F.interpolate(
        images.float(), (size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return resized.round().clamp(0, 255).byte()
