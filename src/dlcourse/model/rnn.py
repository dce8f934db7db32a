"""The vanilla recurrent network, reading a picture row by row."""

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer
from dlcourse.layer.picture import picture_shape


class RNN(nn.Module):
    """Reads a picture from its top row to its bottom row and classifies what it remembers.

    Input (N, C, H, W), output (N, output_size). Row t is a vector x_t of C W values, and the
    memory is h_t = f(W x_t + U h_{t-1} + b), from h_0 = 0; the last one makes the output.

    hidden: numbers in the memory. dropout: on the last memory.

    Raises UserError for inputs that are no pictures.

    Reference: Elman, "Finding structure in time", Cognitive Science 14, 1990.
    Departs from torch.nn.RNN: one bias instead of two that are added up, and any activation.
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
        channels, _, width = picture_shape("rnn", input_shape, 1)
        self.input = nn.Linear(channels * width, hidden)
        self.recurrent = nn.Linear(hidden, hidden, bias=False)
        self.activation = activation_layer(activation)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.output = nn.Linear(hidden, output_size)

    def forward(self, pictures: Tensor) -> Tensor:
        rows = pictures.transpose(1, 2).flatten(2)  # (N, H, C W)
        seen = self.input(rows).unbind(1)  # H times (N, hidden): no row waits for another
        memory = self.activation(seen[0])
        for row in seen[1:]:
            memory = self.activation(row + self.recurrent(memory))
        return self.output(self.dropout(memory))  # (N, output_size)
