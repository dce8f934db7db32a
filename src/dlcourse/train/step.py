"""The step of a batch: from raw inputs to an update, or to outputs alone."""

from collections.abc import Callable

from torch import Tensor, nn

from dlcourse.core import Fold, Recipe, Standardize, State, at_least_float32

Step = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""(inputs, targets, index, epoch) -> (outputs, targets, loss).

inputs (N, ...) and targets (N,) or (N, K) are raw, as the split stores them at the positions index
(N,); epoch is a tensor without dimensions, the number of the pass over the data, from 0. Returns
the outputs (N, K), the targets that the loss was computed with and the mean loss.
"""


def make_train_step(state: State, fold: Fold, recipe: Recipe) -> Step:
    """Return the training step: augment, standardise, update the weights."""

    def train_step(
        inputs: Tensor, targets: Tensor, index: Tensor, epoch: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        for augment in recipe.augment:
            inputs, targets = augment(inputs, targets, index, epoch)
        inputs, targets = recipe.share(inputs, targets)
        inputs = recipe.prepare(fold.standardize(inputs))
        outputs, loss = recipe.step(state, inputs, targets, recipe)
        return outputs, targets[: len(outputs)], loss  # without rows of weight 0

    return train_step


def gradient_step(
    state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Update the weights once: forward, loss and penalties, backward, then ``Recipe.update``.

    inputs (N, ...) are standardised, targets as the loss expects them. Returns the outputs (N, K)
    and the mean loss without penalties, both detached.
    """
    outputs, loss = recipe.differentiate(state, inputs, targets, recipe)
    recipe.update(state, loss, recipe)
    return outputs, loss


def whole_batch(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return all examples of a batch: one process trains on the whole of it."""
    return inputs, targets


def make_eval_step(model: nn.Module, standardize: Standardize, recipe: Recipe) -> Step:
    """Return the evaluation step: standardise, predict, compute the loss.

    The loss is without label smoothing, mixed examples and penalties, so that runs with different
    regularisation can be compared.
    """

    def eval_step(inputs: Tensor, targets: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with recipe.autocast():
            outputs = recipe.predict(model, standardize(inputs))
            return outputs, targets, recipe.plain_loss(at_least_float32(outputs), targets)

    return eval_step


def set_train_mode(model: nn.Module) -> None:
    """Put a model into training mode, but keep its frozen modules in evaluation mode.

    A module without any trainable parameter keeps its BatchNorm statistics and has no dropout.
    """
    model.train()
    for module in model.modules():
        trainable = [parameter.requires_grad for parameter in module.parameters()]
        if trainable and not any(trainable):
            module.eval()
