"""Divide an epoch into batches."""

import math

from torch import Tensor

from dlcourse.core import Recipe, Split, steps_per_epoch


def batches_of_epoch(train: Split, recipe: Recipe, epoch: int) -> tuple[list[Tensor], list[int]]:
    """Return the positions of each batch of an epoch, and the pass over the data it belongs to.

    Without ``recipe.steps_per_epoch`` an epoch is one pass, and the numbers are equal. With it, the
    passes follow each other without end, and an epoch is the next ``steps_per_epoch`` batches.

    epoch: from 0, as the passes.
    """

    def one_pass(number: int) -> list[Tensor]:
        order = recipe.sample(train, recipe.seed, number).to(train.device)
        return into_batches(order, recipe.batch_size)

    if recipe.steps_per_epoch is None:
        pieces = one_pass(epoch)
        return pieces, [epoch] * len(pieces)
    of_pass = steps_per_epoch(len(train), recipe.batch_size)
    first = epoch * recipe.steps_per_epoch
    last = first + recipe.steps_per_epoch
    pieces, passes = [], []
    for number in range(first // of_pass, (last - 1) // of_pass + 1):
        start = number * of_pass
        some = one_pass(number)[max(0, first - start) : last - start]
        pieces += some
        passes += [number] * len(some)
    return pieces, passes


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


def all_steps(steps: int, epochs: float) -> int:
    """Return the number of steps of all epochs, the last of which may be a part of one.

    steps: those of an epoch.
    """
    whole = math.ceil(epochs) - 1
    return whole * steps + steps_left(steps, epochs - whole)
