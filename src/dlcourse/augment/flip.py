"""Random horizontal flips."""

import torch
from torch import Tensor


def flip(inputs: Tensor, targets: Tensor, *, probability: float) -> tuple[Tensor, Tensor]:
    """Flip each image (N, C, H, W) horizontally with the given probability.

    Reference: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional
    neural networks", NIPS 2012, section 4.1.
    """
    flipped = torch.rand(len(inputs), 1, 1, 1, device=inputs.device) < probability
    return torch.where(flipped, inputs.flip(-1), inputs), targets
