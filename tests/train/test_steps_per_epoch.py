"""With steps_per_epoch an epoch is the next slice of the passes over the data."""

from types import SimpleNamespace

import pytest
import torch
from conftest import prepared, same
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.train.batches import batches_of_epoch, into_batches
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit
from dlcourse.train.midway import Every

# 48 training examples in batches of 12 are four steps; the augmentation depends on the pass
FOUR_STEPS = [
    "model=mlp", "model.widths=[8]", "augment=[alternating_flip]", "optim=momentum",
    "batch_size=12", "stop=never",
]  # fmt: skip


@given(
    examples=st.integers(2, 40),
    batch=st.integers(1, 12),
    steps=st.integers(1, 30),
    epochs=st.integers(1, 5),
)
def test_the_epochs_together_are_the_passes_one_after_the_other(examples, batch, steps, epochs):
    def order(train, seed, number):
        return torch.randperm(examples, generator=torch.Generator().manual_seed(number))

    train = type("Train", (), {"device": "cpu", "__len__": lambda self: examples})()
    recipe = SimpleNamespace(sample=order, seed=0, batch_size=batch, steps_per_epoch=steps)
    made = [batches_of_epoch(train, recipe, epoch) for epoch in range(epochs)]
    assert all(len(pieces) == len(passes) == steps for pieces, passes in made)
    wanted, number = [], 0
    while len(wanted) < steps * epochs:
        wanted += [(number, piece) for piece in into_batches(order(None, 0, number), batch)]
        number += 1
    found = [pair for pieces, passes in made for pair in zip(passes, pieces, strict=True)]
    for (number, piece), (other, same_piece) in zip(found, wanted, strict=False):
        assert number == other
        assert torch.equal(piece, same_piece)


def trained(cfg):
    state, fold, recipe = prepared(cfg)
    return fit(state, fold, recipe)


def test_four_epochs_of_three_steps_end_as_three_passes_of_four(tiny):
    passes = trained(tiny(*FOUR_STEPS, "max_epochs=3"))
    slices = trained(tiny(*FOUR_STEPS, "max_epochs=4", "steps_per_epoch=3"))
    assert same(passes.model, slices.model)
    assert len(slices.history) == 4
    speeds = [record.metrics for record in slices.history]
    assert all(s["seconds"] * s["examples_per_second"] == pytest.approx(36) for s in speeds)


def test_an_epoch_can_be_longer_than_a_pass(tiny):
    passes = trained(tiny(*FOUR_STEPS, "max_epochs=5"))
    slices = trained(tiny(*FOUR_STEPS, "max_epochs=2", "steps_per_epoch=10"))
    assert same(passes.model, slices.model)


def test_the_comparison_detects_another_number_of_steps(tiny):
    passes = trained(tiny(*FOUR_STEPS, "max_epochs=3"))
    assert not same(
        passes.model, trained(tiny(*FOUR_STEPS, "max_epochs=4", "steps_per_epoch=2")).model
    )


class Killed(Exception):
    pass


class KilledAtStep(Checkpoint):
    """Raises after the second checkpoint within an epoch, as if the run was killed."""

    count = 0

    def midway(self, state):
        super().midway(state)
        self.count += 1
        if self.count == 2:
            raise Killed


@pytest.mark.parametrize("steps", [3, 10])
def test_a_run_killed_within_such_an_epoch_resumes_bitwise(steps, tiny, tmp_path):
    cfg = tiny(*FOUR_STEPS, "model.dropout=0.3", "max_epochs=3", f"steps_per_epoch={steps}")
    whole = trained(cfg)
    state, fold, recipe = prepared(cfg)
    with pytest.raises(Killed):
        fit(state, fold, recipe, [KilledAtStep(tmp_path, Every(1))])
    state, fold, recipe = prepared(cfg)
    again = fit(restore(state, tmp_path), fold, recipe, [Checkpoint(tmp_path)])
    assert same(whole.model, again.model)


def test_the_schedule_and_the_average_count_such_epochs(tiny):
    cfg = tiny(*FOUR_STEPS, "schedule=step", "schedule.step_size=1", "schedule.gamma=0.1",
               "max_epochs=3", "steps_per_epoch=2")  # fmt: skip
    rates = [record.metrics["lr"] for record in trained(cfg).history]
    assert rates == pytest.approx([cfg["optim"]["lr"] * 0.1**epoch for epoch in range(3)])
