"""TrivialAugment."""

import torch
from torch import Tensor

from dlcourse.augment.operations import Strength, change_each

WIDE_SPACE = {
    "identity": Strength(),
    "shear_x": Strength(0, 0.99, signed=True),
    "shear_y": Strength(0, 0.99, signed=True),
    "translate_x": Strength(0, 32, signed=True),
    "translate_y": Strength(0, 32, signed=True),
    "rotate": Strength(0, 135, signed=True),
    "brightness": Strength(0, 0.99, signed=True),
    "color": Strength(0, 0.99, signed=True),
    "contrast": Strength(0, 0.99, signed=True),
    "sharpness": Strength(0, 0.99, signed=True),
    "posterize": Strength(8, 2),
    "solarize": Strength(255, 0),
    "auto_contrast": Strength(),
    "equalize": Strength(),
}


def trivial_augment(
    inputs: Tensor, targets: Tensor, *, num_magnitude_bins: int
) -> tuple[Tensor, Tensor]:
    """Apply one of 14 random operations to each image (N, C, H, W), with a random strength.

    num_magnitude_bins: number of evenly spaced strengths, all equally likely.

    Interpolation is by the nearest pixel and new pixels are black, as in torchvision's
    ``TrivialAugmentWide``. Shifts of up to 32 pixels, as in the paper, can move small images out of
    the frame.

    Reference: Mueller, Hutter, "TrivialAugment: tuning-free yet state-of-the-art data
    augmentation", ICCV 2021, the wide search space.
    """

    def draw(count: int, device: torch.device) -> Tensor:
        return torch.randint(num_magnitude_bins, (count,), device=device)

    return change_each(inputs, WIDE_SPACE, num_magnitude_bins, draw), targets
