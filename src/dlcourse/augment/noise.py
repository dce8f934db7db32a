"""Gaussian noise on the inputs."""

import torch
from torch import Tensor

from dlcourse.core import WHITE, at_least_float32


def noise(inputs: Tensor, targets: Tensor, *, std: float) -> tuple[Tensor, Tensor]:
    """Add Gaussian noise to every input and return floats.

    std: for images as a share of the range from black to white, for features in their own units.

    Reference: Sietsma, Dow, "Creating artificial neural networks that generalize", Neural
    Networks 4, 1991; Bishop, "Training with noise is equivalent to Tikhonov regularization",
    Neural Computation 7, 1995.
    """
    images = inputs.dim() == 4
    floats = at_least_float32(inputs)
    return floats + torch.randn_like(floats) * (std * WHITE if images else std), targets
