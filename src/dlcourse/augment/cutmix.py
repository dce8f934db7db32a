"""CutMix: rectangles from other images."""

import torch
from torch import Tensor

from dlcourse.augment.mixing import mixed, partners, shares, soft


def cutmix(inputs: Tensor, targets: Tensor, *, classes: int, alpha: float) -> tuple[Tensor, Tensor]:
    """Replace a rectangle of each image (N, C, H, W) by that of another image of the batch.

    Returns classes (N,) as probabilities (N, classes), and the values (N, K) of a regression as
    mixed values: the weight of an example's own target is the share of its area that remains. The
    rectangle has the aspect ratio of the image, a centre at any pixel, and is cut off at the
    border; its area before that is drawn from Beta(alpha, alpha).

    classes: see ``dlcourse.augment``.

    Reference: Yun, Han, Oh, Chun, Choe, Yoo, "CutMix: regularization strategy to train strong
    classifiers with localizable features", ICCV 2019.
    Departs from it: every image draws its own rectangle; the authors' code draws one per batch.
    """
    partner = partners(inputs)
    foreign = rectangles(inputs, 1 - shares(inputs, alpha))  # (N, 1, H, W)
    share = 1 - foreign.float().mean((1, 2, 3))
    images = torch.where(foreign, inputs[partner], inputs)
    return images, mixed(soft(targets, classes), partner, share)


def rectangles(images: Tensor, area: Tensor) -> Tensor:
    """Draw a rectangle for each image; return a mask (N, 1, H, W) of the pixels in it.

    area: (N,), its share of the image before it is cut off at the border.
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
