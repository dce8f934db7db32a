"""Cascade-correlation: a network that grows while it learns."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.core import Recipe, State, at_least_float32
from dlcourse.layer.activation import activation_layer


class Cascade(nn.Module):
    """Adds hidden units one by one; each sees the inputs and all units before it, and is frozen.

    Input (N, *input_shape), flattened to D numbers; output (N, output_size), linear in the inputs
    and the units. The first training step trains the outputs alone. Every later one trains a pool
    of candidates to follow the error that is left, installs the best for good and trains the
    outputs again; once all units are installed, the outputs alone learn.

    units: how many hidden units there can be; all have their place from the start, so that weights
        keep their shapes. Those that are not yet installed give 0. The weights of the installed
        ones are buffers, because no optimizer may move them.
    candidates: of which the best becomes the next unit.
    candidate_steps, output_steps: updates of the pool, and of the outputs, in one training step.

    activation: a bounded one; the covariance of others has no maximum, and grows with the weights.

    Reference: Fahlman, Lebiere, "The cascade-correlation learning architecture", NIPS 1990.
    Departs from it: the run's optimizer takes the place of quickprop, the numbers of steps are
    fixed, and the error is the derivative of any loss with respect to the outputs.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        units: int,
        candidates: int,
        candidate_steps: int,
        output_steps: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.inputs, self.units = math.prod(input_shape), units
        self.candidate_steps, self.output_steps = candidate_steps, output_steps
        self.activation = activation_layer(activation).requires_grad_(False)  # for frozen units too
        self.candidates = nn.Linear(self.inputs + units, candidates)
        self.output = nn.Linear(self.inputs + units, output_size)
        self.register_buffer("installed", torch.zeros((), dtype=torch.int64))
        self.register_buffer("weights", torch.zeros(units, self.inputs + units))
        self.register_buffer("biases", torch.zeros(units))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(self.features(inputs))  # (N, output_size)

    def features(self, inputs: Tensor) -> Tensor:
        """Return the inputs and the values of all units, (N, D + units)."""
        values = inputs.flatten(1)  # (N, D)
        for unit in range(int(self.installed)):
            weights = self.weights[unit : unit + 1, : values.shape[1]]
            value = self.activation(F.linear(values, weights, self.biases[unit : unit + 1]))
            values = torch.cat([values, value], 1)  # (N, D + unit + 1)
        return F.pad(values, [0, self.inputs + self.units - values.shape[1]])

    @staticmethod
    def training_step(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """Install a unit, unless it is the first epoch or no place is left; train the outputs.

        Returns the outputs (N, K) and the mean loss without penalties before the last update of
        the outputs, both without a gradient.
        """
        model = state.model
        if state.history and model.installed < model.units:
            features = features_of(model, inputs, recipe)
            error = error_left(model, features, targets, recipe)
            train_candidates(state, features, error)
            install(model, int(candidate_scores(candidate_values(model, features), error).argmax()))
        return train_outputs(state, features_of(model, inputs, recipe), targets, recipe)


def train_candidates(state: State, features: Tensor, error: Tensor) -> None:
    """Draw a new pool and ascend each candidate's score; clipping and penalties have no part."""
    model, optimizer = state.model, state.optimizer
    draw_candidates(model.candidates, model.inputs + int(model.installed))
    error = error / error.square().mean().sqrt().clamp(min=1e-12)  # so that the size of steps stays
    optimizer.state.clear()
    for _ in range(model.candidate_steps):
        optimizer.zero_grad()
        (-candidate_scores(candidate_values(model, features), error).sum()).backward()
        optimizer.step()


def train_outputs(
    state: State, features: Tensor, targets: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Descend the loss and the penalties with the output weights, the units staying as they are."""
    model, optimizer, scaler = state.model, state.optimizer, state.scaler
    optimizer.state.clear()
    for _ in range(model.output_steps):
        with recipe.autocast():
            outputs = model.output(features)
            loss = recipe.loss(at_least_float32(outputs), targets)
        objective = loss
        for penalty in recipe.penalties:
            objective = objective + penalty(model)
        optimizer.zero_grad()
        scaler.scale(objective).backward()
        model.candidates.zero_grad()  # a penalty has given them a gradient; they rest
        scaler.unscale_(optimizer)
        recipe.clip(model)
        scaler.step(optimizer)
        scaler.update()
        for constrain in recipe.constraints:
            constrain(model)
    return outputs.detach(), loss.detach()


@torch.no_grad()
def features_of(model: Cascade, inputs: Tensor, recipe: Recipe) -> Tensor:
    """Return the values (N, D + units) that the outputs see, as the run's precision makes them."""
    with recipe.autocast():
        return at_least_float32(model.features(inputs))


def error_left(model: Cascade, features: Tensor, targets: Tensor, recipe: Recipe) -> Tensor:
    """Return N times the derivative of the mean loss with respect to the outputs (N, K).

    Up to a factor it is output - target for mse, and probability - target for cross-entropy.
    """
    outputs = model.output(features).detach().requires_grad_()
    (slope,) = torch.autograd.grad(recipe.loss(at_least_float32(outputs), targets), outputs)
    return slope * len(outputs)


def candidate_values(model: Cascade, features: Tensor) -> Tensor:
    """Return the values (N, candidates) of the pool."""
    return model.activation(model.candidates(features))


def candidate_scores(values: Tensor, error: Tensor) -> Tensor:
    """Return each candidate's sum over outputs of |covariance of its values and the error|.

    values: (N, C); error: (N, K); result: (C,).
    """
    covariance = (values - values.mean(0)).T @ (error - error.mean(0)) / len(values)  # (C, K)
    return covariance.abs().sum(1)


@torch.no_grad()
def draw_candidates(candidates: nn.Linear, visible: int) -> None:
    """Draw weights from N(0, 1 / visible), for sums of about 1, and biases from N(0, 1)."""
    candidates.weight.normal_(0, visible**-0.5)
    candidates.bias.normal_(0, 1)


@torch.no_grad()
def install(model: Cascade, best: int) -> None:
    """Copy a candidate into the next free place; its weights towards the outputs start at 0."""
    place = int(model.installed)
    visible = model.inputs + place
    model.weights[place, :visible] = model.candidates.weight[best, :visible]
    model.biases[place] = model.candidates.bias[best]
    model.output.weight[:, visible] = 0
    model.installed += 1
