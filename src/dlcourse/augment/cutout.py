"""Cutout: squares of one colour."""

import torch
from torch import Tensor

from dlcourse.augment.image import as_images
from dlcourse.errors import UserError


def cutout(inputs: Tensor, targets: Tensor, *, length: int) -> tuple[Tensor, Tensor]:
    """Fill a square with sides of ``length`` pixels in each image (N, C, H, W).

    Its centre may be any pixel, so that a part of it may be outside the image. Its colour is the
    mean of the batch in each channel, which standardisation maps to about 0.

    Raises UserError for a square larger than the image.

    Reference: DeVries, Taylor, "Improved regularization of convolutional neural networks with
    cutout", 2017.
    Departs from it: the mean is that of the batch, not of the whole training part.
    """
    height, width = inputs.shape[-2:]
    if length > min(height, width):
        raise UserError(
            f"augment.cutout.length={length} is more than images of {height} x {width} have.\n"
            f"Type augment.cutout.length={max(min(height, width) // 2, 1)}"
        )
    mean = as_images(inputs.float().mean((0, 2, 3), keepdim=True), inputs.dtype)
    return torch.where(squares(inputs, length), mean, inputs), targets


def squares(images: Tensor, length: int) -> Tensor:
    """Draw a square for each image; return a mask (N, 1, H, W) of the pixels in it."""
    count, _, height, width = images.shape
    device = images.device
    top = torch.randint(height, (count, 1), device=device) - length // 2
    left = torch.randint(width, (count, 1), device=device) - length // 2
    rows = torch.arange(height, device=device) - top  # (N, H)
    columns = torch.arange(width, device=device) - left  # (N, W)
    high = (rows >= 0) & (rows < length)
    wide = (columns >= 0) & (columns < length)
    return high[:, None, :, None] & wide[:, None, None, :]
