"""Batches out of a split that lies on the device."""

from collections.abc import Iterator

from torch import Tensor

from dlcourse.core import Split


def batches(split: Split, order: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield raw inputs and targets, ``batch_size`` at a time, in the given order (N,).

    The last batch is smaller where the examples do not divide evenly. A single example left over
    joins the batch before it, because batch norm cannot work on one.
    """
    for index in divide(order, batch_size):
        yield split.inputs.index_select(0, index), split.targets.index_select(0, index)


def divide(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut positions (N,) into pieces of ``batch_size`` as ``batches`` says."""
    pieces = list(order.split(batch_size))
    if len(pieces) > 1 and len(pieces[-1]) == 1 < batch_size:
        pieces[-2:] = [order[-batch_size - 1 :]]
    return pieces
