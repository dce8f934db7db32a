"""The fourteen operations of TrivialAugment and RandAugment, and their random assignment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcourse.augment import color, levels
from dlcourse.augment.geometry import warp

OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": lambda images, _: images,
    "shear_x": lambda images, tangent: warp_nearest(images, shear_x=tangent, about_corner=True),
    "shear_y": lambda images, tangent: warp_nearest(images, shear_y=tangent, about_corner=True),
    "translate_x": lambda images, pixels: warp_nearest(images, right=pixels.trunc()),
    "translate_y": lambda images, pixels: warp_nearest(images, down=pixels.trunc()),
    "rotate": lambda images, degrees: warp_nearest(images, angle=-degrees.deg2rad()),
    "brightness": lambda images, change: color.brightness(images, 1 + change),
    "color": lambda images, change: color.saturation(images, 1 + change),
    "contrast": lambda images, change: color.contrast(images, 1 + change),
    "sharpness": lambda images, change: color.sharpness(images, 1 + change),
    "posterize": lambda images, bits: levels.posterize(images, bits.round()),
    "solarize": levels.solarize,
    "auto_contrast": lambda images, _: levels.stretch(images),
    "equalize": lambda images, _: levels.equalize(images),
}
"""Functions (images (N, C, H, W), strength (N,)) -> images."""


@dataclass(frozen=True)
class Strength:
    """The range of strengths of an operation.

    signed: whether a random half of the images get the negative strength.
    """

    weakest: float = 0.0
    strongest: float = 0.0
    signed: bool = False

    def at(self, bins: Tensor, count: int) -> Tensor:
        """Return the strengths (N,) at the steps ``bins`` (N,) out of ``count``; draw signs."""
        steps = torch.linspace(self.weakest, self.strongest, count, device=bins.device)
        strength = steps[bins]
        if not self.signed:
            return strength
        return torch.where(torch.rand_like(strength) < 0.5, -strength, strength)


def change_each(
    images: Tensor,
    strengths: Mapping[str, Strength],
    steps: int,
    draw: Callable[[int, torch.device], Tensor],
) -> Tensor:
    """Apply one random operation to each image (N, C, H, W).

    strengths: range of strengths by name of the operation, all equally likely. steps: number of
    even steps in each range. draw: (count, device) -> the step (count,) of each of ``count``
    images.
    """
    changed = torch.empty_like(images)
    places = deal(len(images), len(strengths), images.device)
    for (name, strength), place in zip(strengths.items(), places, strict=True):
        if len(place):
            amount = strength.at(draw(len(place), images.device), steps)
            changed[place] = OPERATIONS[name](images[place], amount)
    return changed


def deal(examples: int, operations: int, device: torch.device) -> tuple[Tensor, ...]:
    """Draw one operation for each example; return the positions of the examples per operation.

    The counts per operation are drawn on the CPU, because they determine shapes and reading them
    from a GPU would wait for it; a permutation on the device then assigns the examples.
    """
    counts = torch.randint(operations, (examples,)).bincount(minlength=operations)
    return torch.randperm(examples, device=device).split(counts.tolist())


def warp_nearest(images: Tensor, **numbers: Any) -> Tensor:
    """Call ``warp`` with interpolation by the nearest pixel."""
    return warp(images, "nearest", **numbers)
