"""A polynomial, which is linear in its coefficients."""

import math

import torch
from torch import Tensor, nn


class Polynomial(nn.Module):
    """Fits w_0 + w_1 x + ... + w_M x^M, for several features the sum of one polynomial each.

    Input (N, *input_shape) of D values, output (N, output_size). There are no products of
    different features.

    order: the highest power M.

    Reference: Bishop, "Pattern Recognition and Machine Learning", 2006, sections 1.1 and 3.1.
    """

    def __init__(self, input_shape: tuple[int, ...], output_size: int, *, order: int) -> None:
        super().__init__()
        self.order = order
        self.output = nn.Linear(order * math.prod(input_shape), output_size)

    def features(self, inputs: Tensor) -> Tensor:
        """Return x, x^2, ..., x^M of every value (N, D M)."""
        repeated = inputs.flatten(1).unsqueeze(2).expand(-1, -1, self.order)
        return torch.cumprod(repeated, dim=2).flatten(1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(self.features(inputs))  # (N, output_size)
