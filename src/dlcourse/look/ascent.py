"""Gradient ascent on images: the inputs that excite a unit, from noise or from a photo."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.core import WHITE
from dlcourse.look.layers import LookLayer, recorded
from dlcourse.look.subject import Subject

Score = Callable[[Tensor], Tensor]
"""Takes raw images (N, C, H, W) from 0 to 255, returns one number for each (N,)."""


def gradient_ascent(
    score: Score,
    images: Tensor,
    *,
    steps: int,
    rate: float,
    jitter: int,
    blur_every: int,
    generator: torch.Generator,
) -> tuple[Tensor, list[Tensor]]:
    """Change raw images so that their scores grow; return them, and the scores (N,) of each step.

    A step shifts the images by up to ``jitter`` pixels, so that no pixel is favoured; adds the
    derivative of the score, divided by its root mean square, times ``rate`` grey levels; and keeps
    the values within 0 and 255. Every ``blur_every`` steps the images are blurred, which removes
    high frequencies; the last fifth of the steps is without.
    """
    scores = []
    for step in range(steps):
        move = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
        moved = images.roll(move, (2, 3)).requires_grad_()
        value = score(moved)  # (N,)
        (gradient,) = torch.autograd.grad(value.sum(), moved)
        images = moved.detach() + rate * normalized(gradient)
        images = images.roll([-move[0], -move[1]], (2, 3))
        if blur_every and step % blur_every == 0 and step < 0.8 * steps:
            images = blurred(images)
        images = images.clamp(0, WHITE)
        scores.append(value.detach())
    return images, scores


def normalized(gradient: Tensor) -> Tensor:
    """Return derivatives (N, C, H, W) with the root mean square 1 in each image."""
    size = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
    return gradient / size.clamp(min=1e-30)


def blurred(images: Tensor) -> Tensor:
    """Return images (N, C, H, W) averaged over 3 x 3 pixels with the weights 1, 2, 1."""
    weight = torch.tensor([1.0, 2.0, 1.0], device=images.device, dtype=images.dtype) / 4
    kernel = (weight[:, None] * weight).expand(images.shape[1], 1, 3, 3)
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernel, groups=images.shape[1])


def unit_score(subject: Subject, layer: LookLayer, units: Sequence[int]) -> Score:
    """Return a score: for image i, the mean of a layer's output for unit ``units[i]``.

    A unit is a map of (N, C, H, W), and the last dimension of any other output.
    """

    def score(images: Tensor) -> Tensor:
        with recorded(subject.network, [layer]) as kept:
            subject.outputs(images)
        outputs = kept[layer.name]
        if outputs.dim() == 4:
            outputs = outputs.mean((2, 3))  # (N, C)
        elif outputs.dim() > 2:
            outputs = outputs.flatten(1, -2).mean(1)  # (N, units)
        place = torch.tensor(units, device=outputs.device)
        return outputs.gather(1, place[:, None]).squeeze(1)

    return score


def units_of(layer: LookLayer) -> int:
    """Return the number of units of a layer: its maps, or the size of its last dimension."""
    return layer.shape[0] if len(layer.shape) == 3 else layer.shape[-1]
