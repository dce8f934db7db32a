"""Windows of random size, shape and place."""

import math

import torch
from torch import Tensor

from dlcourse.augment.geometry import sample

TRIES = 10


def resized_crop(
    inputs: Tensor, targets: Tensor, *, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Enlarge a window of each image (N, C, H, W) to the whole of it, bilinearly.

    scale: the smallest and the largest share of the image's area. ratio: the smallest and the
    largest width over height; its logarithm is evenly spread. A window is never larger than the
    image, so that nothing is made smaller and no antialiasing is needed.

    Reference: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich, "Going
    deeper with convolutions", CVPR 2015, section 6; default values as in torchvision's
    ``RandomResizedCrop``.
    """
    height, width = inputs.shape[-2:]
    left, top, wide, high = windows(inputs, scale, ratio)
    x = across(left, wide, width)  # (N, W)
    y = across(top, high, height)  # (N, H)
    grid = torch.stack(
        [x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1
    )  # (N, H, W, 2)
    return sample(inputs, grid, "bilinear"), targets


def windows(images: Tensor, scale: tuple[float, float], ratio: tuple[float, float]) -> Tensor:
    """Draw left, top, width and height of a window for each image: (4, N) whole numbers.

    Ten windows are drawn for each, and the first that fits into the image is taken. Where none
    does, it is the largest in the middle with an allowed ratio.
    """
    count, _, height, width = images.shape
    area, shape = torch.rand(2, count, TRIES, device=images.device)
    area = height * width * (scale[0] + (scale[1] - scale[0]) * area)
    narrow, broad = map(math.log, ratio)
    shape = (narrow + (broad - narrow) * shape).exp()
    wide, high = (area * shape).sqrt().round(), (area / shape).sqrt().round()  # (N, tries)
    fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
    first = fits.int().argmax(1, keepdim=True)  # of equal numbers the first
    found = fits.any(1)
    wide = wide.gather(1, first)[:, 0].where(found, min(width, round(height * ratio[1])))
    high = high.gather(1, first)[:, 0].where(found, min(height, round(width / ratio[0])))
    spot = torch.rand(2, count, device=images.device)
    left = (spot[0] * (width - wide + 1)).floor().where(found, ((width - wide) / 2).floor())
    top = (spot[1] * (height - high + 1)).floor().where(found, ((height - high) / 2).floor())
    return torch.stack([left, top, wide, high])


def across(start: Tensor, length: Tensor, side: int) -> Tensor:
    """Return where ``side`` pixels spread over a stretch come from, (N, side) from -1 to 1.

    start, length: of each image's stretch, (N,) in pixels. Nothing beyond its first and its last
    pixel is looked at.
    """
    start, length = start[:, None], length[:, None]
    place = (torch.arange(side, device=start.device) + 0.5) * length / side - 0.5
    place = start + place.clamp(min=0).minimum(length - 1)
    return (2 * place + 1) / side - 1
