"""A kernel machine on random Fourier features."""

import math

import torch
from torch import Tensor, nn


class Kernel(nn.Module):
    """Fits a linear model on random features whose inner products approximate a Gaussian kernel.

    Input (N, *input_shape) of D values, output (N, output_size). The features are random cosine
    waves z(x) = sqrt(2 / width) cos(W x + b), drawn once and never learned, with W from N(0, 2
    gamma) and b from U(0, 2 pi): the mean of z(x) z(y) is exp(-gamma |x - y|^2). With the hinge
    loss and an L2 penalty this is a support vector machine.

    width: the number of features; the error of the kernel falls as 1 / sqrt(width).
    gamma: 1 / (2 r^2) for a kernel of standard deviation r; None is 1 / D.

    Reference: Rahimi, Recht, "Random features for large-scale kernel machines", NeurIPS 2007.
    """

    frequencies: Tensor  # (width, D)
    phases: Tensor  # (width,)

    def __init__(
        self, input_shape: tuple[int, ...], output_size: int, *, width: int, gamma: float | None
    ) -> None:
        super().__init__()
        values = math.prod(input_shape)
        gamma = 1 / values if gamma is None else gamma
        self.register_buffer("frequencies", math.sqrt(2 * gamma) * torch.randn(width, values))
        self.register_buffer("phases", 2 * math.pi * torch.rand(width))
        self.output = nn.Linear(width, output_size)

    def features(self, inputs: Tensor) -> Tensor:
        """Return the random features (N, width) of inputs (N, *input_shape)."""
        angles = nn.functional.linear(inputs.flatten(1), self.frequencies, self.phases)
        return math.sqrt(2 / len(self.phases)) * torch.cos(angles)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(self.features(inputs))  # (N, output_size)
