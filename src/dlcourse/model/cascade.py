"""Cascade-correlation: a network that grows during training."""

import math
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.core import Recipe, State, at_least_float32
from dlcourse.layer.activation import activation_layer


class Cascade(nn.Module):
    """Adds hidden units one by one; each sees the inputs and all earlier units, and is then frozen.

    Input (N, *input_shape), flattened to D values; output (N, output_size), linear in the inputs
    and the units. The first training step trains the output layer alone. Every later step trains a
    pool of candidates to correlate with the residual error, installs the best one permanently and
    trains the output layer again. Once all units are installed, only the output layer is trained.

    units: the largest number of hidden units. Their weights exist from the start, so that shapes
        do not change; units that are not installed yet return 0. The weights of installed units are
        buffers, so that no optimizer changes them.
    candidates: size of the pool whose best member becomes the next unit.
    candidate_steps, output_steps: updates of the pool and of the output layer per training step.
    activation: a bounded one; otherwise the covariance has no maximum and grows with the weights.

    Reference: Fahlman, Lebiere, "The cascade-correlation learning architecture", NIPS 1990.
    Departs from it: the run's optimizer replaces quickprop, the numbers of steps are fixed, and the
    error is the derivative of any loss with respect to the outputs.
    """

    installed: Tensor  # () int64, the number of units so far
    weights: Tensor  # (units, D + units)
    biases: Tensor  # (units,)

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
        # without gradients, because the frozen units use the activation too
        self.activation = activation_layer(activation).requires_grad_(False)
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

    def for_export(self) -> "Cascade":
        """Return a copy whose number of units is a plain number, so that its loop can be traced."""
        model = deepcopy(self)
        installed: Any = int(model.installed)
        del model.installed
        model.installed = installed
        return model

    @staticmethod
    def training_step(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """Install a unit after the first epoch until all are installed; train the output layer.

        Returns the outputs (N, K) and the mean loss without penalties before the last update, both
        without a gradient.
        """
        model = cast(Cascade, state.model)
        if state.history and model.installed < model.units:
            features = features_of(model, inputs, recipe)
            error = error_left(model, features, targets, recipe)
            train_candidates(state, features, error)
            install_candidate(
                model, int(candidate_scores(candidate_values(model, features), error).argmax())
            )
        return train_outputs(state, features_of(model, inputs, recipe), targets, recipe)


def train_candidates(state: State, features: Tensor, error: Tensor) -> None:
    """Draw a new pool and maximise each candidate's score, without clipping and penalties."""
    model, optimizer = cast(Cascade, state.model), state.optimizer
    draw_candidates(model.candidates, model.inputs + int(model.installed))
    # normalised, so that the step sizes do not shrink with the error
    error = error / error.square().mean().sqrt().clamp(min=1e-12)
    optimizer.state.clear()
    for _ in range(model.candidate_steps):
        optimizer.zero_grad()
        (-candidate_scores(candidate_values(model, features), error).sum()).backward()
        optimizer.step()


def train_outputs(
    state: State, features: Tensor, targets: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor]:
    """Minimise the loss and the penalties over the output layer's weights alone."""
    model, optimizer, scaler = cast(Cascade, state.model), state.optimizer, state.scaler
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
        model.candidates.zero_grad()  # a penalty gives them a gradient too
        recipe.update(state, loss.detach(), recipe)
    return outputs.detach(), loss.detach()


@torch.no_grad()
def features_of(model: Cascade, inputs: Tensor, recipe: Recipe) -> Tensor:
    """Return the inputs (N, D + units) of the output layer, computed in the run's precision."""
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
    """Return the outputs (N, candidates) of the candidates."""
    return model.activation(model.candidates(features))


def candidate_scores(values: Tensor, error: Tensor) -> Tensor:
    """Return each candidate's sum over outputs of |covariance of its values with the error|.

    values: (N, C); error: (N, K); result: (C,).
    """
    covariance = (values - values.mean(0)).T @ (error - error.mean(0)) / len(values)  # (C, K)
    return covariance.abs().sum(1)


@torch.no_grad()
def draw_candidates(candidates: nn.Linear, visible: int) -> None:
    """Draw weights from N(0, 1 / visible), so that sums have variance 1; biases from N(0, 1)."""
    candidates.weight.normal_(0, visible**-0.5)
    candidates.bias.normal_(0, 1)


@torch.no_grad()
def install_candidate(model: Cascade, best: int) -> None:
    """Copy a candidate into the next free unit; its weights in the output layer start at 0."""
    place = int(model.installed)
    visible = model.inputs + place
    model.weights[place, :visible] = model.candidates.weight[best, :visible]
    model.biases[place] = model.candidates.bias[best]
    model.output.weight[:, visible] = 0
    model.installed += 1
