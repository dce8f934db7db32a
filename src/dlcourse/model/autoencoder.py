"""The autoencoder with one hidden layer."""

import math

from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.layer.activation import activation_layer, pieces


class Autoencoder(nn.Module):
    """Squeezes inputs through one hidden layer and rebuilds them from it.

    Input (N, *input_shape) of D values, output (N, D): the same values again. The rows of
    the hidden layer's weights (hidden, D) are its features and can be drawn as images.

    hidden: units of the hidden layer. dropout: on the hidden units; 0.5 makes the features local.

    Raises UserError where the targets are not the inputs.

    Reference: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout", JMLR 15, 2014,
    section 7.1, whose figure 7 shows 256 ReLU units on MNIST with and without dropout.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        hidden: int,
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        values = math.prod(input_shape)
        if output_size != values:
            raise UserError(
                f"model=autoencoder gives back its {values} inputs, and the targets are "
                f"{output_size} numbers.\nType data.reconstruct=true"
            )
        self.hidden = nn.Linear(values, pieces(activation) * hidden)
        self.activation = activation_layer(activation)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.output = nn.Linear(hidden, values)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.activation(self.hidden(inputs.flatten(1)))  # (N, hidden)
        return self.output(self.dropout(features))  # (N, D)
