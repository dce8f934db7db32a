"""The last epoch may be a fraction: it has its share of the steps, and the schedule ends there."""

import dataclasses

import pytest
import torch
from conftest import prepared, same

from dlcourse.train.batches import all_steps, into_batches, steps_left
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit

OVERRIDES = ["model=mlp", "model.dropout=0.3", "optim=momentum", "schedule=linear", "stop=never"]


class RecordedStep:
    """A training step that records the learning rate and the number of examples."""

    def __init__(self, step):
        self.step, self.rates, self.examples = step, [], []

    def __call__(self, state, inputs, targets, recipe):
        self.rates.append(state.optimizer.param_groups[0]["lr"])
        self.examples.append(len(inputs))
        return self.step(state, inputs, targets, recipe)


def watched(cfg):
    state, fold, recipe = prepared(cfg)
    recorded = RecordedStep(recipe.step)
    return state, fold, dataclasses.replace(recipe, step=recorded), recorded


@pytest.mark.parametrize(
    ("steps", "left", "taken"),
    [(10, 0.9, 9), (10, 9.9 - 9, 9), (50, 9.9 - 9, 45), (10, 1.0, 10), (10, 7, 10), (10, 0.01, 1)],
)
def test_a_fraction_of_an_epoch_has_its_share_of_the_steps_and_at_least_one(steps, left, taken):
    assert steps_left(steps, left) == taken


@pytest.mark.parametrize("epochs", [0.3, 1, 2, 2.5, 3.99])
@pytest.mark.parametrize("batch", [1, 7, 16, 40])
def test_all_steps_is_the_sum_over_the_epochs(epochs, batch):
    whole, total, left = len(into_batches(torch.arange(40), batch)), 0, epochs
    while left > 0:
        total, left = total + steps_left(whole, left), left - 1
    assert all_steps(whole, epochs) == total


def test_the_schedule_ends_in_the_middle_of_the_last_epoch(tiny):
    state, fold, recipe, recorded = watched(tiny(*OVERRIDES, "max_epochs=2.5", "batch_size=12"))
    fit(state, fold, recipe)  # 48 examples: four steps an epoch, ten in all
    assert recorded.rates == pytest.approx([0.05 * (1 - step / 10) for step in range(10)])
    assert [record.epoch for record in state.history] == [1, 2, 3]
    speed = state.history[-1].metrics
    assert speed["examples_per_second"] * speed["seconds"] == pytest.approx(24)


def test_a_small_fraction_with_the_full_batch_takes_one_step(tiny):
    state, fold, recipe, recorded = watched(tiny(*OVERRIDES, "max_epochs=0.1", "batch_size=full"))
    fit(state, fold, recipe)
    assert recorded.examples == [len(fold.train)]


def test_a_fractional_run_starts_like_whole_epochs_and_resumes_to_the_same_weights(tiny, tmp_path):
    cfg = tiny(*OVERRIDES, "schedule=constant", "max_epochs=2.5")
    state, fold, recipe = prepared(cfg)
    whole = fit(state, fold, recipe)
    first, *_ = prepared(cfg)
    once = dataclasses.replace(recipe, stop=lambda past: len(past) >= 2)
    fit(first, fold, once, [Checkpoint(tmp_path)])
    two, fold2, recipe2 = prepared(tiny(*OVERRIDES, "schedule=constant", "max_epochs=2"))
    assert same(first.model, fit(two, fold2, recipe2).model)
    assert not same(first.model, whole.model)
    parts = fit(restore(prepared(cfg)[0], tmp_path), fold, recipe)
    assert same(whole.model, parts.model)
    assert len(parts.history) == 3
