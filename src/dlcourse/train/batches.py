"""Divide an epoch into batches."""

import math

from torch import Tensor

from dlcourse.core import steps_per_epoch


def into_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """Divide an epoch's order (N,) into batches of ``batch_size`` indices.

    The last batch is smaller if the examples do not divide evenly. A single remaining example
    joins the batch before it, because batch norm needs two.
    """
    pieces = list(order.split(batch_size))
    if len(pieces) > 1 and len(pieces[-1]) == 1 < batch_size:
        pieces[-2:] = [order[-batch_size - 1 :]]
    return pieces


def steps_left(steps: int, epochs: float) -> int:
    """Return the number of steps of an epoch if only ``epochs`` epochs remain, at least one."""
    return max(1, round(steps * min(1.0, epochs)))


def all_steps(examples: int, batch_size: int, epochs: float) -> int:
    """Return the number of steps of all epochs, the last of which may be a part of one."""
    steps = steps_per_epoch(examples, batch_size)
    whole = math.ceil(epochs) - 1
    return whole * steps + steps_left(steps, epochs - whole)
