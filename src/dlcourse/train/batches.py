"""How an epoch is cut into batches."""

import math

import torch
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


def steps_left(steps: int, epochs: float) -> int:
    """Return how many of an epoch's steps fit into what is left of all epochs, at least one."""
    return max(1, round(steps * min(1.0, epochs)))


def all_steps(examples: int, batch_size: int, epochs: float) -> int:
    """Return how many steps the epochs have together, the last of which may be a part of one."""
    steps = len(divide(torch.arange(examples), batch_size))
    whole = math.ceil(epochs) - 1
    return whole * steps + steps_left(steps, epochs - whole)
