"""Mirror images."""

import torch
from torch import Tensor


def flip(inputs: Tensor, targets: Tensor, *, probability: float) -> tuple[Tensor, Tensor]:
    """Mirror each image (N, C, H, W) left to right with the given probability.

    Reference: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional
    neural networks", NIPS 2012, section 4.1.
    """
    mirrored = torch.rand(len(inputs), 1, 1, 1, device=inputs.device) < probability
    return torch.where(mirrored, inputs.flip(-1), inputs), targets
