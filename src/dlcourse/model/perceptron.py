"""Rosenblatt's perceptron."""

import math

import torch
from torch import Tensor, nn


class Perceptron(nn.Module):
    """Classifies by the sign of one weighted sum.

    Input (N, *input_shape), output (N, output_size). For two classes there is one threshold neuron
    s = w x + b, and the outputs are [0, s]: class 1 is predicted if s > 0. For more classes there
    is one sum per class.

    With ``loss=perceptron``, ``optim=sgd`` and batches of one example a step is Rosenblatt's rule
    w <- w + a (d - y) x with the target d and the prediction y: only errors change the weights.

    Reference: Rosenblatt, "The perceptron: a probabilistic model for information storage and
    organization in the brain", Psychological Review 65, 1958; for more classes Duda, Hart,
    "Pattern classification and scene analysis", 1973, section 5.12.
    """

    def __init__(self, input_shape: tuple[int, ...], output_size: int) -> None:
        super().__init__()
        sums = 1 if output_size == 2 else output_size
        self.output = nn.Linear(math.prod(input_shape), sums)
        self.single = output_size == 2

    def forward(self, inputs: Tensor) -> Tensor:
        sums = self.output(inputs.flatten(1))  # (N, 1) or (N, output_size)
        return torch.cat([torch.zeros_like(sums), sums], dim=1) if self.single else sums
