"""Small shifts."""

import torch
from torch import Tensor
from torch.nn import functional as F


def crop(inputs: Tensor, targets: Tensor, *, padding: int) -> tuple[Tensor, Tensor]:
    """Shift each picture (N, C, H, W) by up to ``padding`` pixels, down or up and right or left.

    It is a crop of the old size out of the picture with a black frame, at a place of its own for
    every picture.

    Reference: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016,
    section 4.2.
    """
    count, _, height, width = inputs.shape
    device = inputs.device
    framed = F.pad(inputs, [padding] * 4)  # (N, C, H + 2p, W + 2p)
    down, right = torch.randint(2 * padding + 1, (2, count, 1), device=device)
    rows = down + torch.arange(height, device=device)  # (N, H)
    columns = right + torch.arange(width, device=device)  # (N, W)
    example = torch.arange(count, device=device)[:, None, None]
    pixels = framed.permute(0, 2, 3, 1)[example, rows[:, :, None], columns[:, None, :]]
    return pixels.permute(0, 3, 1, 2).contiguous(), targets  # (N, C, H, W)
