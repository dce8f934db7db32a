"""Dropout whose mask is drawn for the whole batch, so that the ranks have one device's masks."""

import torch
from torch import Tensor, nn

from dlcourse.distributed.piece import Piece, current_piece


class SharedDropout(nn.Dropout):
    """``nn.Dropout`` for a rank's rows of a batch: every rank draws for all rows, and uses its own.

    The random numbers are those that ``nn.Dropout`` draws for the whole batch on one device, so
    that the generators of all ranks stay equal.
    """

    def forward(self, input: Tensor) -> Tensor:
        piece = current_piece()
        if piece is None or not self.training or self.p == 0:
            return super().forward(input)
        times, whole = whole_shape(input, piece, input.shape[1:])
        factors = random_factors(empty_like(input, whole), self.p)
        return input * own_rows_of(factors, input, piece, times)


class _SharedChannels(nn.modules.dropout._DropoutNd):
    """The forward of the three classes below: one number for each row and channel."""

    def forward(self, input: Tensor) -> Tensor:
        piece = current_piece()
        if piece is None or not self.training or self.p == 0:
            return super().forward(input)  # pyright: ignore[reportAbstractUsage]
        times, whole = whole_shape(input, piece, (input.shape[1], *[1] * (input.dim() - 2)))
        factors = input.new_empty(whole).bernoulli_(1 - self.p).div_(1 - self.p)
        return input * own_rows_of(factors, input, piece, times)


class SharedDropout1d(_SharedChannels, nn.Dropout1d):
    """``nn.Dropout1d`` for a rank's rows of a batch."""


class SharedDropout2d(_SharedChannels, nn.Dropout2d):
    """``nn.Dropout2d`` for a rank's rows of a batch."""


class SharedDropout3d(_SharedChannels, nn.Dropout3d):
    """``nn.Dropout3d`` for a rank's rows of a batch."""


SHARED_DROPOUTS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Dropout: SharedDropout,
    nn.Dropout1d: SharedDropout1d,
    nn.Dropout2d: SharedDropout2d,
    nn.Dropout3d: SharedDropout3d,
}


def whole_shape(
    input: Tensor, piece: Piece, shape: tuple[int, ...] | torch.Size
) -> tuple[int, tuple[int, ...]]:
    """Return the number of rows for each example, and the shape of the factors of the whole piece.

    input: (k * rows, ...) of a rank with ``rows`` rows; k is 1 unless a layer has joined the batch
        with another axis. shape: that of the factors of one row.
    """
    times = len(input) // piece.rows
    return times, (times * piece.whole, *shape)


def own_rows_of(factors: Tensor, input: Tensor, piece: Piece, times: int) -> Tensor:
    """Return this rank's rows of the factors of the whole piece."""
    start = times * piece.start if piece.count else 0
    return factors[start : start + len(input)]


def empty_like(input: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return an empty tensor in the memory order of ``input``, which is the order of drawing."""
    empty = input.new_empty(shape)
    last = input.dim() == 4 and input.is_contiguous(memory_format=torch.channels_last)
    if last and not input.is_contiguous():
        return empty.contiguous(memory_format=torch.channels_last)
    return empty


def random_factors(empty: Tensor, p: float) -> Tensor:
    """Return random factors, 0 or 1 / (1 - p), as ``nn.Dropout`` draws them on the device."""
    if empty.is_cuda and p < 1:
        mask = torch.native_dropout(empty, p, True)[1]  # its kernel draws by an element's number
        return mask.to(empty.dtype).div_(1 - p)
    return empty.bernoulli_(1 - p).div_(1 - p)
