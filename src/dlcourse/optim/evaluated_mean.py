"""Weights that an optimizer evaluates instead of those that it trains with."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcourse.core import Fold, Recipe, State, measure_norm_statistics

WeightsOf = Callable[[Tensor, dict, dict], Tensor]
"""(parameter, its state, its group) -> the value to evaluate, of the same shape."""


class EvaluatedMean:
    """Takes the evaluated weights out of the optimizer's state, once after each epoch.

    It takes the place of ``average``. Parameters without a state are evaluated as they are, and
    norm statistics are measured again, with the evaluated weights.
    """

    def __init__(self, weights_of: WeightsOf) -> None:
        self.weights_of = weights_of

    def start(self, model: nn.Module) -> nn.Module:
        """Return a copy of the model."""
        return copy.deepcopy(model).requires_grad_(False)

    def update(self, averaged: nn.Module, model: nn.Module, step: int) -> None:
        """Do nothing, because all weights are in the optimizer's state."""

    @torch.no_grad()
    def settle(self, state: State, fold: Fold, recipe: Recipe) -> None:
        """Copy the evaluated weights into ``state.averaged``."""
        state.averaged.load_state_dict(state.model.state_dict())
        copies = dict(zip(state.model.parameters(), state.averaged.parameters(), strict=True))
        for group in state.optimizer.param_groups:
            for weight in group["params"]:
                own = state.optimizer.state.get(weight)
                if own:
                    copies[weight].copy_(self.weights_of(weight, own, group))
        measure_norm_statistics(state.averaged, fold, recipe)
