"""The gradients of a batch that several ranks compute in shares."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from dlcourse.core import Recipe, State, objective
from dlcourse.distributed.collectives import add_up
from dlcourse.distributed.piece import Piece, pieces_of, within_piece
from dlcourse.distributed.ranks import Ranks


class SharedBatch:
    """Divides each batch among the ranks, and adds up their gradients.

    ``share`` and ``differentiate`` are those of ``Recipe``. The objective of a rank is the mean
    over its examples, and the penalties, times its share of the batch; the sum over the ranks is
    the objective of the batch.

    ranks: the place of this process. most: the number of examples of a batch that are computed at
    a time, by all ranks together; None for all. averaged: model -> the
    buffers that become their mean over the ranks.
    """

    def __init__(
        self, ranks: Ranks, most: int | None, averaged: Callable[[nn.Module], Sequence[Tensor]]
    ) -> None:
        self.ranks, self.most, self.averaged = ranks, most, averaged
        self.batch = 0
        self.pieces: list[Piece] = []

    def share(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of a batch (N, ...) that this rank computes, piece after piece.

        Rows of weight 0, of pieces in which the rank has no example, come last.
        """
        self.batch = len(targets)
        self.pieces = pieces_of(self.batch, self.most, self.ranks.rank, self.ranks.size)
        return tuple(map(self.rows_of, (inputs, targets)))  # pyright: ignore[reportReturnType]

    def rows_of(self, values: Tensor) -> Tensor:
        """Return this rank's rows of some values (N, ...) of the batch."""
        parts = values.split([piece.whole for piece in self.pieces])
        own = [
            part[piece.start : piece.stop] if piece.count else part[:1]
            for part, piece in zip(parts, self.pieces, strict=True)
        ]
        return own[0] if len(own) == 1 else torch.cat(own)

    def differentiate(
        self, state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """Compute the gradients of the whole batch from this rank's rows of it.

        Returns the outputs for this rank's examples and the mean loss over the batch, detached.
        """
        rows = [piece.rows for piece in self.pieces]
        kept, losses = [], []
        state.optimizer.zero_grad()
        for piece, some, wanted in zip(
            self.pieces, inputs.split(rows), targets.split(rows), strict=True
        ):
            with within_piece(piece):
                outputs, loss, total = objective(state, some, wanted, recipe)
            share = piece.count / self.batch
            state.scaler.scale(total * share).backward()
            kept.append(outputs.detach()[: piece.count])
            losses.append(loss.detach() * share)
        loss = torch.stack(losses).sum()
        self.add_up(state.model, loss)
        return torch.cat(kept), loss

    def add_up(self, model: nn.Module, loss: Tensor) -> None:
        """Add up the gradients and the loss over the ranks, and average the buffers, in place."""
        buffers = self.averaged(model)
        for buffer in buffers:
            buffer.div_(self.ranks.size)
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        add_up([*gradients, *buffers, loss])


def no_buffers(model: nn.Module) -> Sequence[Tensor]:
    """Return no buffers: those of all ranks are equal."""
    return ()
