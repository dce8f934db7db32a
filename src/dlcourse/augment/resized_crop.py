"""Random crops, resized to the size of the image."""

import math

import torch
from torch import Tensor

from dlcourse.augment.geometry import sample

TRIES = 10


def resized_crop(
    inputs: Tensor, targets: Tensor, *, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Crop a random window of each image (N, C, H, W) and resize it to the full size, bilinearly.

    scale: the smallest and the largest area, as a share of the image's. ratio: the smallest and the
    largest width divided by height, with a uniform logarithm. A window is never larger than the
    image, so that no antialiasing is needed.

    Reference: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich, "Going
    deeper with convolutions", CVPR 2015, section 6; default values as in torchvision's
    ``RandomResizedCrop``.
    """
    height, width = inputs.shape[-2:]
    left, top, wide, high = windows(inputs, scale, ratio)
    x = coordinates(left, wide, width)  # (N, W)
    y = coordinates(top, high, height)  # (N, H)
    grid = torch.stack(
        [x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1
    )  # (N, H, W, 2)
    return sample(inputs, grid, "bilinear"), targets


def windows(images: Tensor, scale: tuple[float, float], ratio: tuple[float, float]) -> Tensor:
    """Draw left, top, width and height of a window for each image: (4, N) whole numbers.

    Of ten windows per image the first that fits is used. If none fits, it is the largest central
    window with an allowed ratio.
    """
    count, _, height, width = images.shape
    area, shape = torch.rand(2, count, TRIES, device=images.device)
    area = height * width * (scale[0] + (scale[1] - scale[0]) * area)
    narrow, broad = map(math.log, ratio)
    shape = (narrow + (broad - narrow) * shape).exp()
    wide, high = (area * shape).sqrt().round(), (area / shape).sqrt().round()  # (N, tries)
    fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
    first = fits.int().argmax(1, keepdim=True)  # argmax returns the first of equal values
    found = fits.any(1)
    wide = wide.gather(1, first)[:, 0].where(found, min(width, round(height * ratio[1])))
    high = high.gather(1, first)[:, 0].where(found, min(height, round(width / ratio[0])))
    spot = torch.rand(2, count, device=images.device)
    left = (spot[0] * (width - wide + 1)).floor().where(found, ((width - wide) / 2).floor())
    top = (spot[1] * (height - high + 1)).floor().where(found, ((height - high) / 2).floor())
    return torch.stack([left, top, wide, high])


def coordinates(start: Tensor, length: Tensor, side: int) -> Tensor:
    """Return the sampling coordinates (N, side), in [-1, 1], of ``side`` pixels over an interval.

    start, length: of the interval, (N,) in pixels. Pixels outside of it are not used.
    """
    start, length = start[:, None], length[:, None]
    place = (torch.arange(side, device=start.device) + 0.5) * length / side - 0.5
    place = start + place.clamp(min=0).minimum(length - 1)
    return (2 * place + 1) / side - 1
