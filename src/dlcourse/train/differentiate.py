"""The gradients of a batch: in one pass, or in several that need less memory."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dlcourse.core import Recipe, State, objective

Differentiate = Callable[[State, Tensor, Tensor, Recipe], tuple[Tensor, Tensor]]
"""(state, inputs, targets, recipe) -> (outputs, loss): ``Recipe.differentiate``.

inputs (N, ...) are standardised, targets as the loss expects them. Sets the gradients of all
parameters to those of the loss with the penalties, times the scale of an fp16 loss. Returns the
outputs (N, K) and the mean loss without penalties, both detached.
"""


def in_one_pass(
    state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of a batch with one forward and one backward pass."""
    outputs, loss, total = objective(state, inputs, targets, recipe)
    state.optimizer.zero_grad()  # not earlier: glibc would return the memory, and fault it in again
    state.scaler.scale(total).backward()
    return outputs.detach(), loss.detach()


def in_pieces(pieces: int, batch_size: int) -> Differentiate:
    """Return a function that computes the gradients of a batch piece by piece, and adds them.

    Each piece has at most ``batch_size / pieces`` examples, rounded up, so that the memory for the
    layers' outputs is divided by the number of pieces. The sum is the gradient of the whole batch
    up to rounding, unless an example's loss depends on the rest of its batch: batch norm averages
    over each piece.
    """
    size = math.ceil(batch_size / pieces)

    def differentiate(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        parts = min(math.ceil(len(inputs) / size), max(1, len(inputs) // 2))  # batch norm needs two
        kept, losses = [], []
        state.optimizer.zero_grad()
        for some, wanted in zip(
            inputs.tensor_split(parts), targets.tensor_split(parts), strict=True
        ):
            outputs, loss, total = objective(state, some, wanted, recipe)
            share = len(some) / len(inputs)
            state.scaler.scale(total * share).backward()
            kept.append(outputs.detach())
            losses.append(loss.detach() * share)
        return torch.cat(kept), torch.stack(losses).sum()

    return differentiate
