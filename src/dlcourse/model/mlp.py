"""The multi-layer perceptron."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.norm import norm_layer


class MLP(nn.Module):
    """Classifies or regresses with fully connected hidden layers.

    Input (N, *input_shape), output (N, output_size). Each hidden layer is a linear map, norm,
    activation and dropout. With 6 inputs, widths [4, 3] and 1 output there are 47 parameters.

    widths: units of each hidden layer; an empty list makes a linear model.
    dropout: the probability, in [0, 1), that a hidden unit is set to 0 in a training step.

    Reference: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors",
    Nature 323, 1986.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        widths: Sequence[int],
        activation: str,
        norm: str,
        dropout: float,
    ) -> None:
        super().__init__()
        sizes = [math.prod(input_shape), *widths]
        each = pieces(activation)
        self.hidden = nn.Sequential()
        for inputs, outputs in pairwise(sizes):
            self.hidden.append(nn.Linear(inputs, each * outputs))
            if norm != "none":
                self.hidden.append(norm_layer(norm, each * outputs, images=False))
            self.hidden.append(activation_layer(activation))
            if dropout > 0:
                self.hidden.append(nn.Dropout(dropout))
        self.output = nn.Linear(sizes[-1], output_size)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.hidden(inputs.flatten(1))  # (N, widths[-1])
        return self.output(features)  # (N, output_size)
