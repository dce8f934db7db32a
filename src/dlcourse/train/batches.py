"""How an epoch is cut into batches."""

from torch import Tensor


def divide(order: Tensor, batch_size: int) -> list[Tensor]:
    """Cut an epoch's order (N,) into pieces of ``batch_size``.

    The last one is smaller where the examples do not divide evenly. A single example left over
    joins the piece before it, because batch norm cannot work on one.
    """
    pieces = list(order.split(batch_size))
    if len(pieces) > 1 and len(pieces[-1]) == 1 < batch_size:
        pieces[-2:] = [order[-batch_size - 1 :]]
    return pieces
