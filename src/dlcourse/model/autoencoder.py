"""The autoencoder with one hidden layer."""

import math

from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.layer.activation import activation_layer, pieces


class Autoencoder(nn.Module):
    """Reconstructs its inputs from one hidden layer.

    Input (N, *input_shape) of D values, output (N, D): their reconstruction. The rows of the hidden
    layer's weights (hidden, D) are its features and can be shown as images.

    hidden: number of hidden units.
    dropout: probability for the hidden units; with 0.5 the features become local.

    Raises UserError unless the targets are the inputs.

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
                f"model=autoencoder reconstructs its {values} inputs, but the targets are "
                f"{output_size} numbers.\nType data.reconstruct=true"
            )
        self.hidden = nn.Linear(values, pieces(activation) * hidden)
        self.activation = activation_layer(activation)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.output = nn.Linear(hidden, values)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.activation(self.hidden(inputs.flatten(1)))  # (N, hidden)
        return self.output(self.dropout(features))  # (N, D)
