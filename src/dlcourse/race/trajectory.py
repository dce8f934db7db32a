"""The path of one optimizer on a surface, made with the training step of a run."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.core import Dataset, Fold, Split, Standardize
from dlcourse.engine.assemble import make_recipe, make_state
from dlcourse.engine.instantiate import build
from dlcourse.race.surfaces import PlotWindow
from dlcourse.schema.facts import fact
from dlcourse.train.learning_rate import LearningRates
from dlcourse.train.step import set_train_mode

FAR = 100  # a path that is this many window sizes away from the window has diverged


@dataclass(frozen=True)
class Trajectory:
    """The path of an optimizer: all lists start with the start and have one entry for each step.

    gradients: the number of gradients computed so far; some optimizers need several for a step.
    diverged: whether the path ended because it left the surroundings of the window for good.
    """

    positions: list[tuple[float, float]]
    values: list[float]
    gradients: list[int]
    diverged: bool


class PlanePoint(nn.Module):
    """A model whose only parameter is a position (1, 2), which is also its output.

    It is a matrix of one row, so that weight decay applies to it as to a layer's weights.
    """

    def __init__(
        self, input_shape: tuple[int, ...], output_size: int, *, start: tuple[float, float]
    ) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.tensor([start], dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.position + 0  # a new tensor, as the outputs of any model


def follow(
    config: dict,
    function: Callable[[Any, Any], Any],
    start: tuple[float, float],
    steps: int,
    window: PlotWindow,
    noise: Tensor | None = None,
) -> Trajectory:
    """Minimise a surface from a start, in float64, with the optimizer of a run's config.

    The optimizer, its parameter groups, the schedule, the clipping and the training step are made
    as for a run. A step counts as an epoch for the schedule.

    function: of x and y, tensors of one shape.
    noise: (steps, 2), added to the gradient of each step. An optimizer that takes the whole
        training part in one step has exact gradients, so it gets none.
    """
    model = {"_target_": f"{__name__}.PlanePoint", "_partial_": True, "start": list(start)}
    config = config | {"model": model}
    runtime = build(config["runtime"])()
    one = Split(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64))
    dataset = Dataset("surface", one, one)
    fold = Fold(".", one, None, Standardize(torch.zeros(()), torch.ones(())))
    state = make_state(config, runtime, dataset, fold)
    calls = 0

    def height(outputs: Tensor, tilt: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return function(outputs[:, 0], outputs[:, 1]).mean() + (outputs * tilt).sum()

    recipe = replace(make_recipe(config, runtime, dataset, fold), loss=height)
    if noise is None or fact(config["optim"], "full_batch"):
        noise = torch.zeros(steps, 2, dtype=torch.float64)
    rates = LearningRates(state.optimizer)
    set_train_mode(state.model)
    positions, values, gradients = [start], [value_at(function, start)], [0]
    scores = [-values[0]]
    for step, tilt in enumerate(noise.split(1)):
        rates.set(recipe.schedule(step, steps, scores), step)
        recipe.step(state, one.inputs, tilt, recipe)
        recipe.settle(state, fold, recipe)
        x, y = next(state.averaged.parameters()).detach()[0].tolist()
        value = value_at(function, (x, y))
        if not math.isfinite(value) or is_far((x, y), window):
            return Trajectory(positions, values, gradients, diverged=True)
        positions.append((x, y))
        values.append(value)
        gradients.append(calls)
        scores.append(-value)
    return Trajectory(positions, values, gradients, diverged=False)


def value_at(function: Callable[[Any, Any], Any], position: tuple[float, float]) -> float:
    """Return the value of a surface at a position."""
    x, y = torch.tensor(position, dtype=torch.float64).split(1)
    with torch.no_grad():
        return float(function(x, y))


def is_far(position: tuple[float, float], window: PlotWindow) -> bool:
    """Return whether a position is FAR window sizes or more away from the window's centre."""
    left, right, bottom, top = window
    away = max(
        abs(position[0] - (left + right) / 2) / (right - left),
        abs(position[1] - (bottom + top) / 2) / (top - bottom),
    )
    return not away < FAR  # NaN is far


def gradient_noise(size: float, steps: int, seed: int) -> Tensor:
    """Return normal noise (steps, 2) with standard deviation ``size``, the same for each seed."""
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(steps, 2, dtype=torch.float64, generator=generator)
