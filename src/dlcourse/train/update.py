"""The update of the weights from their gradients, if all numbers are finite.

``(state, loss, recipe) -> None``: ``Recipe.update``. The gradients are those of the loss, perhaps
scaled; loss () is detached.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcourse.core import Recipe, State
from dlcourse.train.finite import first_and_others, not_finite

LARGE_LOSS = 1e4
"""Above it, gradients overflow because training diverges."""

OwnStep = Callable[[State, Tensor, Tensor, Recipe], tuple[Tensor, Tensor]]


class NonFiniteStep(Exception):
    """A number in a training step is not finite; nothing of this step has been kept.

    kind: what is known of the cause: ``weights``, ``loss``, ``gradient``, or ``large`` for a
        gradient of a very large loss.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def plain_update(state: State, loss: Tensor, recipe: Recipe) -> None:
    """Unscale, clip, update, constrain; the scaler of an fp16 loss decides whether to update."""
    state.scaler.unscale_(state.optimizer)
    recipe.clip(state.model)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    for constrain in recipe.constraints:
        constrain(state.model)


def checked_update(state: State, loss: Tensor, recipe: Recipe) -> None:
    """Update the weights, unless the loss or a gradient is not finite, which is read at once.

    Such a step is left out and counted, or raises NonFiniteStep. With the scaler of an fp16 loss
    it is no fault: the scaler leaves the step out and lowers its scale.
    """
    if state.scaler.is_enabled():
        plain_update(state, loss, recipe)
        return
    state.faults.last = state.faults.any_in(checked_numbers(state, loss))
    if state.faults.last:
        count_or_raise(state, loss, recipe)
        return
    recipe.clip(state.model)
    state.optimizer.step()
    for constrain in recipe.constraints:
        constrain(state.model)


def noted_update(state: State, loss: Tensor, recipe: Recipe) -> None:
    """Update the weights, and note on the device whether the loss or a gradient is not finite.

    Nothing is read back: the training reads the note before it saves anything, and then takes the
    weights of the last good epoch.
    """
    state.faults.note(checked_numbers(state, loss))
    plain_update(state, loss, recipe)


def checked_numbers(state: State, loss: Tensor) -> list[Tensor]:
    """Return the gradients of the optimizer's parameters and the loss."""
    found = [
        gradient
        for group in state.optimizer.param_groups
        for weight in group["params"]
        if (gradient := weight.grad) is not None
    ]
    found.append(loss)
    return found


def count_or_raise(state: State, loss: Tensor, recipe: Recipe) -> None:
    """Count a step as left out; raise NonFiniteStep if the recipe does not allow it."""
    faults, most = state.faults, recipe.nonfinite.max_skipped
    error = fault_of(state, loss)
    if error.kind == "weights" or faults.skipped >= most:
        limit = f", after {faults.skipped} skipped steps (nonfinite.max_skipped={most})"
        raise NonFiniteStep(error.kind, f"{error}{limit if most else ''}")
    faults.skipped += 1


def fault_of(state: State, loss: Tensor) -> NonFiniteStep:
    """Return what was not finite first: a weight, the loss, or the gradient of which weight."""
    weights = {name: weight.detach() for name, weight in state.model.named_parameters()}
    found = not_finite(weights)
    if found:
        return NonFiniteStep(
            "weights",
            f"the update of the step before made {first_and_others(found)} infinite, with a "
            "finite gradient",
        )
    value = float(loss)
    gradients = {
        name: weight.grad
        for name, weight in state.model.named_parameters()
        if weight.grad is not None
    }
    if not loss.isfinite():
        return NonFiniteStep("loss", f"the loss is {value}")
    names = first_and_others(not_finite(gradients) or ["a weight"])
    kind = "gradient" if abs(value) < LARGE_LOSS else "large"
    return NonFiniteStep(
        kind, f"the loss is {value:.4g}, and the gradient of {names} is not finite"
    )


def checked_step(step: OwnStep) -> OwnStep:
    """Return a training step of a model's or an optimizer's own that checks loss and weights.

    Raises NonFiniteStep; the training then takes the weights of the last good epoch.
    """

    def checked(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        outputs, loss = step(state, inputs, targets, recipe)
        weights = {name: weight.detach() for name, weight in state.model.named_parameters()}
        if not loss.isfinite():
            raise NonFiniteStep("loss", f"the loss is {float(loss)}")
        found = not_finite(weights)
        if found:
            raise NonFiniteStep("weights", f"the update made {first_and_others(found)} not finite")
        return outputs, loss

    return checked


def skipping_step(step: OwnStep) -> OwnStep:
    """Return a training step whose batch leaves no trace if its update is left out.

    Norm statistics, which the forward pass changes, become those before the step. The outputs are
    then empty, so that no metric counts them.
    """

    def skipping(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        buffers = copied_buffers(state.model)
        outputs, loss = step(state, inputs, targets, recipe)
        if not state.faults.last:
            return outputs, loss
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        return outputs[:0], torch.zeros_like(loss)

    return skipping


def copied_buffers(model: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Return the buffers of a model, each with a copy of its values."""
    return [(buffer, buffer.clone()) for buffer in model.buffers()]
