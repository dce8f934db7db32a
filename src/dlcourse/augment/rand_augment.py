"""RandAugment."""

import torch
from torch import Tensor

from dlcourse.augment.operations import Strength, change_each
from dlcourse.errors import UserError

SHIFT = 150 / 331  # share of the side: AutoAugment shifts images of 331 pixels by up to 150


def strengths(height: int, width: int) -> dict[str, Strength]:
    """Return the operations and their ranges of strengths for images of the given size."""
    return {
        "identity": Strength(),
        "shear_x": Strength(0, 0.3, signed=True),
        "shear_y": Strength(0, 0.3, signed=True),
        "translate_x": Strength(0, SHIFT * width, signed=True),
        "translate_y": Strength(0, SHIFT * height, signed=True),
        "rotate": Strength(0, 30, signed=True),
        "brightness": Strength(0, 0.9, signed=True),
        "color": Strength(0, 0.9, signed=True),
        "contrast": Strength(0, 0.9, signed=True),
        "sharpness": Strength(0, 0.9, signed=True),
        "posterize": Strength(8, 4),
        "solarize": Strength(255, 0),
        "auto_contrast": Strength(),
        "equalize": Strength(),
    }


def rand_augment(
    inputs: Tensor, targets: Tensor, *, num_ops: int, magnitude: int, num_magnitude_bins: int
) -> tuple[Tensor, Tensor]:
    """Apply ``num_ops`` of 14 random operations to each image (N, C, H, W), one after the other.

    All have the same strength, the step ``magnitude`` of 0 to ``num_magnitude_bins`` - 1, with
    random signs. Interpolation is by the nearest pixel and new pixels are black, as in torchvision.

    Raises UserError for a magnitude beyond the last bin.

    Reference: Cubuk, Zoph, Shlens, Le, "RandAugment: practical automated data augmentation with a
    reduced search space", NeurIPS 2020.
    """
    if magnitude >= num_magnitude_bins:
        raise UserError(
            f"augment.rand_augment.magnitude={magnitude} is beyond the last of "
            f"{num_magnitude_bins} bins, which is {num_magnitude_bins - 1}.\n"
            f"Type augment.rand_augment.magnitude={num_magnitude_bins - 1} or less"
        )

    def draw(count: int, device: torch.device) -> Tensor:
        return torch.full((count,), magnitude, device=device)

    space = strengths(*inputs.shape[-2:])
    for _ in range(num_ops):
        inputs = change_each(inputs, space, num_magnitude_bins, draw)
    return inputs, targets
