"""Rectangles from other images."""

import torch
from torch import Tensor

from dlcourse.augment.mixing import mixed, partners, shares, soft


def cutmix(inputs: Tensor, targets: Tensor, *, classes: int, alpha: float) -> tuple[Tensor, Tensor]:
    """Replace a rectangle of each image (N, C, H, W) by that of another one of the batch.

    Classes (N,) come back as probabilities (N, classes), the values (N, K) of a regression as mixed
    values: each example keeps the share of its area that is still its own. The rectangle has the
    shape of the image, its middle may lie on any pixel, and what lies outside is cut off; its
    area comes from Beta(alpha, alpha).

    Reference: Yun, Han, Oh, Chun, Choe, Yoo, "CutMix: regularization strategy to train strong
    classifiers with localizable features", ICCV 2019.
    Departs from it: every image draws a rectangle of its own, where the authors' code draws one
    for the whole batch.
    """
    partner = partners(inputs)
    foreign = rectangles(inputs, 1 - shares(inputs, alpha))  # (N, 1, H, W)
    share = 1 - foreign.float().mean((1, 2, 3))
    images = torch.where(foreign, inputs[partner], inputs)
    return images, mixed(soft(targets, classes), partner, share)


def rectangles(images: Tensor, area: Tensor) -> Tensor:
    """Return where a rectangle at a random place covers each image, (N, 1, H, W).

    area: (N,), its share of the image as long as it does not reach beyond the frame.
    """
    count, _, height, width = images.shape
    half = area.sqrt()[:, None] / 2
    covered = []
    for side in (height, width):
        middle = torch.randint(side, (count, 1), device=images.device)
        reach = (half * side).int()
        place = torch.arange(side, device=images.device)
        covered.append((place >= middle - reach) & (place < middle + reach))  # (N, side)
    high, wide = covered
    return high[:, None, :, None] & wide[:, None, None, :]
