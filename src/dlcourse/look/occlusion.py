"""Occlusion: how much the probability of a class falls if a patch of the image is covered."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dlcourse.look.attribution import draw_explained, explained
from dlcourse.look.subject import Drawing, Subject


@torch.no_grad()
def probability_lost(
    probabilities: Callable[[Tensor], Tensor],
    images: Tensor,
    classes: Tensor,
    patch: int,
    stride: int,
) -> Tensor:
    """Return how much the probability of each image's class falls with a pixel covered (N, H, W).

    A square of ``patch`` pixels is moved over the image, ``stride`` pixels at a time, and covered
    with the image's mean colour. A pixel's value is the mean over the squares that cover it.

    probabilities: raw images (N, C, H, W) -> probabilities (N, K).

    Reference: Zeiler, Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
    section 4.2.
    """
    height, width = images.shape[2:]
    images = images.float()
    mean = images.mean((2, 3), keepdim=True)
    before = probabilities(images).gather(1, classes[:, None]).squeeze(1)  # (N,)
    lost = torch.zeros(len(images), height, width)
    covers = torch.zeros(height, width)
    for top in places(height, patch, stride):
        for left in places(width, patch, stride):
            rows, columns = slice(top, top + patch), slice(left, left + patch)
            covered = images.clone()
            covered[:, :, rows, columns] = mean
            after = probabilities(covered).gather(1, classes[:, None]).squeeze(1)
            lost[:, rows, columns] += (before - after)[:, None, None]
            covers[rows, columns] += 1
    return lost / covers


def places(side: int, patch: int, stride: int) -> list[int]:
    """Return where the patches start along a side; the last one ends at the border."""
    last = max(side - patch, 0)
    return [*range(0, last, stride), last]


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the loss of probability over each image."""
    found = explained(subject, options, "occlusion")
    side = min(subject.input_shape[1:])
    patch = min(options["patch"] or max(2, side // 6), side)
    stride = options["stride"] or max(1, patch // 2)
    lost = probability_lost(
        subject.probabilities, found.examples.inputs, found.classes.cpu(), patch, stride
    )
    title = (
        f"occlusion by {patch} x {patch} pixels: the class's probability falls with a red patch "
        "covered, rises with a blue one"
    )
    drawing = draw_explained(found, lost.numpy(), title, signed=True, over=True)
    worst = lost.amax((1, 2))
    seen = (
        f"patches of {patch} x {patch}: covering the most important one costs "
        f"{float(worst.min()):.2f} to {float(worst.max()):.2f} of the class's probability"
    )
    return [Drawing("", drawing.figures, seen)]
