"""The fourteen operations of TrivialAugment and RandAugment, and how they are dealt out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.augment import color, levels
from dlcourse.augment.geometry import warp

OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": lambda pictures, _: pictures,
    "shear_x": lambda pictures, tangent: nearest(pictures, shear_x=tangent, about_corner=True),
    "shear_y": lambda pictures, tangent: nearest(pictures, shear_y=tangent, about_corner=True),
    "translate_x": lambda pictures, pixels: nearest(pictures, right=pixels.trunc()),
    "translate_y": lambda pictures, pixels: nearest(pictures, down=pixels.trunc()),
    "rotate": lambda pictures, degrees: nearest(pictures, angle=-degrees.deg2rad()),
    "brightness": lambda pictures, change: color.brightness(pictures, 1 + change),
    "color": lambda pictures, change: color.saturation(pictures, 1 + change),
    "contrast": lambda pictures, change: color.contrast(pictures, 1 + change),
    "sharpness": lambda pictures, change: color.sharpness(pictures, 1 + change),
    "posterize": lambda pictures, bits: levels.posterize(pictures, bits.round()),
    "solarize": levels.solarize,
    "auto_contrast": lambda pictures, _: levels.stretch(pictures),
    "equalize": lambda pictures, _: levels.equalize(pictures),
}
"""Functions of pictures (N, C, H, W) and one strength (N,) for each."""


@dataclass(frozen=True)
class Strength:
    """The strengths of an operation, from the weakest to the strongest.

    signed: half of the pictures get its negative.
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
    pictures: Tensor,
    strengths: Mapping[str, Strength],
    steps: int,
    draw: Callable[[int, torch.device], Tensor],
) -> Tensor:
    """Carry out one operation on each picture (N, C, H, W), all equally likely.

    strengths: the operations there are, and how strong they get. steps: from the weakest to the
    strongest. draw: (count, device) -> which of the steps each of ``count`` pictures gets.
    """
    changed = torch.empty_like(pictures)
    places = deal(len(pictures), len(strengths), pictures.device)
    for (name, strength), place in zip(strengths.items(), places, strict=True):
        if len(place):
            amount = strength.at(draw(len(place), pictures.device), steps)
            changed[place] = OPERATIONS[name](pictures[place], amount)
    return changed


def deal(examples: int, operations: int, device: torch.device) -> tuple[Tensor, ...]:
    """Return for each operation the positions of the examples that drew it.

    Every example draws for itself. How often each operation was drawn comes from the CPU, so that
    it is known without waiting for a GPU; which examples those are is shuffled on the device.
    """
    counts = torch.randint(operations, (examples,)).bincount(minlength=operations)
    return torch.randperm(examples, device=device).split(counts.tolist())


def nearest(pictures: Tensor, **how: Tensor | bool) -> Tensor:
    """Warp pictures, every pixel taking the colour of the nearest one."""
    return warp(pictures, "nearest", **how)
