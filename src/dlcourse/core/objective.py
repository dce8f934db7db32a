"""The objective of training: the mean loss of some examples, and the penalties."""

from torch import Tensor

from dlcourse.core.dtypes import at_least_float32
from dlcourse.core.training import Recipe, State


def objective(
    state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the outputs (N, K), their mean loss, and the loss with the penalties added.

    inputs (N, ...) are standardised, targets as the loss expects them.
    """
    with recipe.autocast():
        outputs = state.model(inputs)
        loss = recipe.loss(at_least_float32(outputs), targets)
    total = loss
    for penalty in recipe.penalties:
        total = total + penalty(state.model)
    return outputs, loss, total
