"""The linear model: softmax regression for classes, linear regression for values."""

import math

from torch import Tensor, nn


class Linear(nn.Module):
    """Maps inputs to outputs by one matrix and one bias.

    Input (N, *input_shape), output (N, output_size). On CIFAR-10 it has 10 x 3072 weights.

    Reference: Cox, "The regression analysis of binary sequences", J. R. Stat. Soc. B 20, 1958;
    Bishop, "Pattern Recognition and Machine Learning", 2006, sections 3.1 and 4.3.
    """

    def __init__(self, input_shape: tuple[int, ...], output_size: int) -> None:
        super().__init__()
        self.output = nn.Linear(math.prod(input_shape), output_size)

    def features(self, inputs: Tensor) -> Tensor:
        """Return the flattened inputs (N, D)."""
        return inputs.flatten(1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(self.features(inputs))  # (N, output_size)
