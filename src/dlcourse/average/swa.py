"""Stochastic weight averaging."""

import torch
from torch import nn

from dlcourse.average.blend import blend_weights, frozen_copy
from dlcourse.core import Fold, Recipe, State, measure_norm_statistics


class SWA:
    """Keeps the mean of the weights at the ends of some epochs; training itself does not change.

    The first weights are those after the epochs ``start``; before that the weights themselves are
    evaluated. Norm statistics are measured again on the training data after every epoch, with the
    averaged weights: a forward pass for each batch.

    start: below 1 a fraction of all epochs, otherwise their number.
    every: epochs between two weights that are averaged. With a rate that falls and rises again it
        is the length of a cycle, so that the weights of low rates are averaged.
    steps: the number of all training steps, see ``dlcourse.average``.
    steps_per_epoch: that of an epoch.

    Reference: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, "Averaging weights leads to wider
    optima and better generalization", UAI 2018, algorithm 1.
    """

    def __init__(self, *, start: float, every: int, steps: int, steps_per_epoch: int) -> None:
        first = start * steps if start < 1 else start * steps_per_epoch
        self.start_epoch = max(1, -(-int(first) // steps_per_epoch))
        self.every, self.steps, self.steps_per_epoch = every, steps, steps_per_epoch

    def start(self, model: nn.Module) -> nn.Module:
        """Return a copy of the model."""
        return frozen_copy(model)

    def update(self, averaged: nn.Module, model: nn.Module, step: int) -> None:
        """Add the weights to the mean after the last step of some epochs."""
        done = step + 1
        if done % self.steps_per_epoch and done != self.steps:
            return
        after, rest = divmod(self.epochs(done) - self.start_epoch, self.every)
        if after >= 0 and rest == 0:
            blend_weights(averaged, model, 1 / (after + 1))

    @torch.no_grad()
    def settle(self, state: State, fold: Fold, recipe: Recipe) -> None:
        """Measure the norm statistics of the mean; before the first weights, copy the model."""
        if len(state.history) + 1 < self.start_epoch:
            state.averaged.load_state_dict(state.model.state_dict())
        else:
            measure_norm_statistics(state.averaged, fold, recipe)

    def epochs(self, done: int) -> int:
        """Return the number of epochs after some steps, where a part of an epoch counts as one."""
        return -(-done // self.steps_per_epoch)
