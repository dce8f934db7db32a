"""The learning-rate range test: train with a growing rate and record the loss of each step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from dlcourse.core import Fold, Recipe, State
from dlcourse.train.batches import into_batches
from dlcourse.train.learning_rate import LearningRates
from dlcourse.train.rng import reseed
from dlcourse.train.step import make_train_step, set_train_mode
from dlcourse.train.update import plain_update

LAG = 0.8  # the weight of the past in the running mean that decides whether training diverges
DIVERGED_AT = 4.0  # times the lowest running mean so far


def range_test(
    state: State,
    fold: Fold,
    recipe: Recipe,
    factors: Sequence[float],
    advance: Callable[[int], None] = lambda steps: None,
) -> list[float]:
    """Train one step with each factor of the base learning rates; return the loss of each step.

    The steps are those of ``fit``: the same order of examples, augmentations, clipping, constraints
    and average of the weights; only the schedule is replaced. A loss is that of a step's batch
    before its update, without penalties. The test ends early if a loss is not finite, which is then
    the last one, or if the running mean of the losses is more than four times its lowest value.

    advance: called with the number of finished steps after each one.

    Reference: Smith, "Cyclical learning rates for training neural networks", WACV 2017 (arXiv
    2015), section 3.3. The rule to stop is fastai's.
    """
    step = make_train_step(state, fold, replace(recipe, update=plain_update))
    rates = LearningRates(state.optimizer)
    per_epoch = len(into_batches(torch.arange(len(fold.train)), recipe.batch_size))
    set_train_mode(state.model)
    losses: list[float] = []
    mean, lowest = 0.0, math.inf
    while len(losses) < len(factors):
        epoch = len(losses) // per_epoch
        reseed(recipe.seed, epoch)
        order = recipe.sample(fold.train, recipe.seed, epoch).to(fold.train.device)
        number = torch.tensor(epoch, device=fold.train.device)
        pieces = into_batches(order, recipe.batch_size)[: len(factors) - len(losses)]
        for index, *prefetched in fold.train.prefetch(pieces):
            done = len(losses)
            rates.set(factors[done], done / per_epoch)
            inputs, targets = fold.train.fetch(index, *prefetched)
            try:
                _, _, loss = step(inputs, targets, index, number)
            except torch.linalg.LinAlgError:  # pyright: ignore[reportPrivateImportUsage]
                loss = torch.tensor(math.nan)  # from numbers that are not finite
            recipe.average.update(state.averaged, state.model, done)
            losses.append(float(loss))
            advance(1)
            if not math.isfinite(losses[-1]):
                return losses
            mean = LAG * mean + (1 - LAG) * losses[-1]
            unbiased = mean / (1 - LAG ** len(losses))
            lowest = min(lowest, unbiased)
            if 0 < DIVERGED_AT * lowest < unbiased:
                return losses
    return losses
