"""Say whether a model has memorised its training examples, and if not, why perhaps."""

import math
from pathlib import Path

import torch
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.core import FinalTest, Fold, Observer, Recipe, State, at_least_float32, objective
from dlcourse.schema.run_files import OVERFIT

MEMORISED = 0.01  # of the first loss, or this loss itself
STUCK = 0.99  # of the first loss: nothing was learned
STILL_FALLING = 0.98  # the last loss over that of four fifths of the way


class Overfit(Observer):
    """Prints a verdict at the end, and writes it into ``overfit.json``.

    The model has memorised the training examples if the loss of its best weights, measured on them
    as in a test, is at most 1 % of the loss before training. Otherwise likely causes are listed,
    each from a measurement: layers without a gradient, outputs that do not depend on the inputs,
    equal inputs with different targets, probabilities where the loss takes scores, a learning rate
    that is too large or too small.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kind = ""

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.state, self.recipe, self.fold = state, recipe, fold
        _, self.before = self.measured(state)

    def tested(self, test: FinalTest) -> None:
        self.kind = test.kind

    def finish(self, state: State, result: dict) -> None:
        outputs, loss = self.measured(state)
        losses = [record.metrics["train/loss"] for record in state.history]
        done = loss <= max(MEMORISED * self.before, MEMORISED)
        count = len(self.fold.train)
        sizes = f"loss {loss:.4g} after {len(losses)} steps, {self.before:.4g} before"
        if done:
            lines = [f"The model can memorise {count} examples: {sizes}"]
        else:
            lines = [f"The model cannot memorise {count} examples: {sizes}"]
            lines += [f"  {cause}" for cause in self.causes(outputs, loss, losses)]
        print("\n".join(lines), flush=True)
        found = {"memorised": done, "loss": loss, "before": self.before, "steps": len(losses)}
        atomic_files.write_json(self.folder / OVERFIT, found | {"lines": lines}, indent=1)

    def examples(self) -> tuple[Tensor, Tensor]:
        """Return the raw inputs and the targets of all training examples, on the device."""
        train = self.fold.train
        ((inputs, targets),) = train.batches([torch.arange(len(train), device=train.device)])
        return inputs, targets

    def measured(self, state: State) -> tuple[Tensor, float]:
        """Return the outputs for all training examples in evaluation mode, and their loss."""
        was_training = state.model.training
        state.model.eval()
        with torch.no_grad(), self.recipe.autocast():
            inputs, targets = self.examples()
            outputs = self.recipe.predict(state.model, self.fold.standardize(inputs))
            loss = self.recipe.plain_loss(at_least_float32(outputs), targets)
        state.model.train(was_training)
        return at_least_float32(outputs), float(loss)

    def causes(self, outputs: Tensor, loss: float, losses: list[float]) -> list[str]:
        """Return likely causes in sentences, the most certain first."""
        targets, last = self.fold.train.targets, losses[-1]
        found = [text for text in (self.conflict(), probabilities_text(outputs, self.kind)) if text]
        dead = self.without_gradient()
        if dead:
            found.append(
                f"No gradient arrives at {named(dead)}: zero weights (init=zeros), dead units, "
                "optim.freeze, or a detached tensor in the forward pass"
            )
        elif len(outputs) > 1 and float(outputs.std(0).max()) < 1e-4 * float(outputs.abs().max()):
            found.append("The outputs are equal for all examples: the inputs do not reach them")
        if not math.isfinite(loss) or last > 2 * losses[0]:
            found.append("The loss grows: type a smaller optim.lr")
        elif loss > 10 * last and last <= max(MEMORISED * self.before, MEMORISED):
            found.append(
                f"In training mode the loss is {last:.4g}: batch norm's running averages lag "
                "behind, or a layer behaves differently in evaluation"
            )
        elif last < STILL_FALLING * losses[len(losses) * 4 // 5]:
            found.append("The loss still falls: type a larger optim.lr, or more max_epochs")
        elif not found and last > STUCK * losses[0]:
            found.append("The loss does not fall: type a larger or a much smaller optim.lr")
        elif not found and targets.is_floating_point() and outputs.shape != targets.shape:
            found.append(f"The outputs {tuple(outputs.shape)} do not fit {tuple(targets.shape)}")
        return found or ["The loss has levelled off: the model may be too small, or optim.lr wrong"]

    def conflict(self) -> str:
        """Return how many examples have equal inputs and different targets; empty if none has."""
        inputs, targets = self.examples()
        _, group = torch.unique(inputs.flatten(1), dim=0, return_inverse=True)
        targets = targets.reshape(len(targets), -1)
        equal = group[:, None] == group[None]
        differ = (targets[:, None] != targets[None]).any(-1)
        count = int((equal & differ).any(1).sum())
        return f"{count} examples have equal inputs and different targets" if count else ""

    def without_gradient(self) -> list[str]:
        """Return the names of the parameters whose gradient is zero or missing."""
        state, recipe = self.state, self.recipe
        inputs, targets = self.examples()
        inputs = recipe.prepare(self.fold.standardize(inputs))
        state.optimizer.zero_grad(set_to_none=True)
        with torch.enable_grad():
            _, _, total = objective(state, inputs, targets, recipe)
            total.backward()
        dead = [
            name
            for name, weight in state.model.named_parameters()
            if weight.grad is None or not weight.grad.abs().max() > 0
        ]
        state.optimizer.zero_grad(set_to_none=True)
        return dead


def probabilities_text(outputs: Tensor, kind: str) -> str:
    """Return that the outputs are probabilities where the loss takes scores; empty if not."""
    if outputs.dim() != 2 or outputs.shape[1] < 2 or kind != "softmax":
        return ""
    sums = (outputs.sum(1) - 1).abs().max()
    if float(sums) > 1e-3 or float(outputs.min()) < 0:
        return ""
    return (
        "The outputs are probabilities already, and the loss applies a softmax itself: remove the "
        "softmax at the end of the model, or take logarithms and loss=nll"
    )


def named(names: list[str]) -> str:
    """Return the first names of a list."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more
