"""Recurrent networks that read an image row by row."""

from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer
from dlcourse.layer.image import image_shape

GATES = {"rnn": 1, "gru": 3, "lstm": 4}  # vectors of the hidden size that a cell computes


class RNN(nn.Module):
    """Reads an image from its top row to its bottom row and classifies the last hidden state.

    Input (N, C, H, W), output (N, output_size). Row t is a vector x_t of C W values. With f the
    activation, s the sigmoid and * the elementwise product, the hidden state h_t is, starting from
    h_0 = c_0 = 0:

        rnn:   f(W x_t + U h_{t-1} + b)
        gru:   (1 - z) * f(W_n x_t + b_n + r * (U_n h_{t-1} + d_n)) + z * h_{t-1},
               r = s(W_r x_t + b_r + U_r h_{t-1} + d_r) and z likewise
        lstm:  o * f(c_t),  c_t = F * c_{t-1} + i * f(W_g x_t + U_g h_{t-1} + b_g),
               i = s(W_i x_t + U_i h_{t-1} + b_i) and F and o likewise

    ``input`` holds all W and b, ``recurrent`` all U and d, stacked in PyTorch's order: r, z, n and
    i, F, g, o.

    cell: ``rnn``, ``gru`` or ``lstm``. hidden: size of the hidden state. dropout: on the last one.

    Raises UserError for inputs that are not images.

    Reference: Elman, "Finding structure in time", Cognitive Science 14, 1990; Hochreiter,
    Schmidhuber, "Long short-term memory", Neural Computation 9, 1997, with the forget gate of Gers,
    Schmidhuber, Cummins, "Learning to forget", Neural Computation 12, 2000; Cho et al., "Learning
    phrase representations using RNN encoder-decoder", EMNLP 2014.
    Departs from torch.nn.RNN, GRU and LSTM: one bias instead of the sum of two, any activation, and
    the initial weights of linear layers, whose range follows from each layer's number of inputs. As
    in PyTorch, the GRU's reset gate multiplies U_n h + d_n; in the paper it multiplies h.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        cell: str,
        hidden: int,
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, _, width = image_shape("rnn", input_shape, 1)
        self.cell = cell
        self.input = nn.Linear(channels * width, GATES[cell] * hidden)
        self.recurrent = nn.Linear(hidden, GATES[cell] * hidden, bias=cell == "gru")
        self.activation = activation_layer(activation)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.output = nn.Linear(hidden, output_size)

    def forward(self, images: Tensor) -> Tensor:
        rows = images.transpose(1, 2).flatten(2)  # (N, H, C W)
        seen = self.input(rows).unbind(1)  # H times (N, gates hidden), for all rows at once
        last_state = {"rnn": self.vanilla, "gru": self.gated, "lstm": self.long_short_term}
        return self.output(self.dropout(last_state[self.cell](seen)))  # (N, output_size)

    def vanilla(self, seen: Sequence[Tensor]) -> Tensor:
        """Return the last hidden state (N, hidden); seen: W x_t + b (N, hidden) of each row."""
        memory = self.activation(seen[0])
        for row in seen[1:]:
            memory = self.activation(row + self.recurrent(memory))
        return memory

    def gated(self, seen: Sequence[Tensor]) -> Tensor:
        """Return the last hidden state (N, hidden); seen: W x_t + b (N, 3 hidden) of each row."""
        memory = seen[0].new_zeros(seen[0].shape[0], self.recurrent.in_features)
        for row in seen:
            seen_reset, seen_update, seen_new = row.chunk(3, dim=1)
            reset, update, new = self.recurrent(memory).chunk(3, dim=1)
            reset, update = (seen_reset + reset).sigmoid(), (seen_update + update).sigmoid()
            new = self.activation(seen_new + reset * new)
            memory = new + update * (memory - new)
        return memory

    def long_short_term(self, seen: Sequence[Tensor]) -> Tensor:
        """Return the last hidden state (N, hidden); seen: W x_t + b (N, 4 hidden) of each row."""
        memory = content = seen[0].new_zeros(seen[0].shape[0], self.recurrent.in_features)
        for row in seen:
            entry, forget, new, exit_ = (row + self.recurrent(memory)).chunk(4, dim=1)
            content = forget.sigmoid() * content + entry.sigmoid() * self.activation(new)
            memory = exit_.sigmoid() * self.activation(content)
        return memory
