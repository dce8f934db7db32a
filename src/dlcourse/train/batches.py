"""Batches out of a split that lies on the device."""

from collections.abc import Iterable, Iterator

from torch import Tensor

from dlcourse.core import Split


def batches(split: Split, pieces: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the raw inputs and targets at each piece's positions (batch,)."""
    for index in pieces:
        yield split.inputs.index_select(0, index), split.targets.index_select(0, index)


def divide(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut an epoch's order (N,) into pieces of ``batch_size``.

    The last one is smaller where the examples do not divide evenly. A single example left over
    joins the piece before it, because batch norm cannot work on one.
    """
    pieces = list(order.split(batch_size))
    if len(pieces) > 1 and len(pieces[-1]) == 1 < batch_size:
        pieces[-2:] = [order[-batch_size - 1 :]]
    return pieces
