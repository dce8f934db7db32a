"""One step of training."""

from torch import Tensor

from dlcourse.core import Recipe, State, at_least_float32


def gradient_step(
    state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Descend once: forward, loss + penalties, backward, clip, update, constrain.

    inputs (N, ...) are standardised, targets as the loss takes them. Returns the outputs (N, K)
    and the mean loss without penalties, both without a gradient. Nothing is read back to the host.
    """
    with recipe.autocast():
        outputs = state.model(inputs)
        loss = recipe.loss(at_least_float32(outputs), targets)
    objective = loss
    for penalty in recipe.penalties:
        objective = objective + penalty(state.model)
    state.optimizer.zero_grad()
    state.scaler.scale(objective).backward()
    state.scaler.unscale_(state.optimizer)
    recipe.clip(state.model)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    for constrain in recipe.constraints:
        constrain(state.model)
    return outputs.detach(), loss.detach()
