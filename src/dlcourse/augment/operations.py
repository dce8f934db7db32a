"""The fourteen operations of TrivialAugment and RandAugment, and how they are dealt out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
"""Functions of images (N, C, H, W) and one strength (N,) for each."""


@dataclass(frozen=True)
class Strength:
    """The strengths of an operation, from the weakest to the strongest.

    signed: half of the images get its negative.
    """

    weakest: float = 0.0
    strongest: float = 0.0
    signed: bool = False

    def at(self, bins: Tensor, count: int) -> Tensor:
        """Return the strengths (N,) at these places (N,) of ``count`` even steps, signs drawn."""
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
    """Carry out one operation on each image (N, C, H, W), all equally likely.

    strengths: the operations there are, and how strong they get. steps: from the weakest to the
    strongest. draw: (count, device) -> which of the steps each of ``count`` images gets.
    """
    changed = torch.empty_like(images)
    places = deal(len(images), len(strengths), images.device)
    for (name, strength), place in zip(strengths.items(), places, strict=True):
        if len(place):
            amount = strength.at(draw(len(place), images.device), steps)
            changed[place] = OPERATIONS[name](images[place], amount)
    return changed


def deal(examples: int, operations: int, device: torch.device) -> tuple[Tensor, ...]:
    """Return for each operation the positions of the examples that drew it.

    Every example draws for itself. How often each operation was drawn comes from the CPU, so that
    it is known without waiting for a GPU; which examples those are is shuffled on the device.
    """
    counts = torch.randint(operations, (examples,)).bincount(minlength=operations)
    return torch.randperm(examples, device=device).split(counts.tolist())


def warp_nearest(images: Tensor, **how: Tensor | bool) -> Tensor:
    """Warp images, every pixel taking the colour of the nearest one."""
    return warp(images, "nearest", **how)
