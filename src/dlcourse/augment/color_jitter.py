"""Random brightness, contrast, saturation and hue."""

import torch
from torch import Tensor

from dlcourse.augment import color


def color_jitter(
    inputs: Tensor,
    targets: Tensor,
    *,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
) -> tuple[Tensor, Tensor]:
    """Change brightness, contrast, saturation and hue of each image (N, C, H, W) at random.

    brightness, contrast, saturation: s draws a factor from U(1 - s, 1 + s) for each image.
    hue: s draws a shift from U(-s, s), as a share of the colour circle, for each image.

    Saturation and hue do not change grey images.

    Reference: Howard, "Some improvements on deep convolutional neural network based image
    classification", 2013, section 2; hue as in torchvision's ``ColorJitter``.
    Departs from it: the order of the four is drawn once for the whole batch.
    """
    changes = [
        (color.brightness, 1.0, brightness),
        (color.contrast, 1.0, contrast),
        (color.saturation, 1.0, saturation),
        (color.hue, 0.0, hue),
    ]
    for number in torch.randperm(len(changes)).tolist():
        change, middle, strength = changes[number]
        if strength > 0:
            inputs = change(inputs, middle + strength * draw_signed(len(inputs), inputs.device))
    return inputs, targets


def draw_signed(count: int, device: torch.device) -> Tensor:
    """Draw numbers (count,) from U(-1, 1)."""
    return 2 * torch.rand(count, device=device) - 1
