"""Optimizers and averages whose evaluated weights are made once after each epoch."""

import dataclasses

import pytest
import torch
from conftest import prepared, same
from torch.optim.swa_utils import update_bn

from dlcourse.core import measure_norm_statistics
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.evaluate import evaluate
from dlcourse.train.fit import fit

SMALL = ("model=mlp", "model.widths=[8]", "data.size=8", "batch_size=16", "stop=never")
NORMED = (*SMALL, "model.norm=batch")
NEW = [
    ["optim=radam"], ["optim=adamax"], ["optim=adafactor"], ["optim=lion"],
    ["optim=rprop", "batch_size=full"], ["optim=asgd", "optim.t0=2"],
    ["optim=schedule_free"], ["optim=schedule_free", "optim.variant=sgd"],
    ["optim=schedule_free", "optim.variant=radam"],
    ["average=swa", "average.start=1"], ["average=swa", "schedule=swa"],
    ["schedule=cyclic", "schedule.up=1", "schedule.down=1"], ["schedule=polynomial"],
    ["schedule=cosine_restarts", "schedule.t_0=1"],
    ["optim.noise=0.1"], ["optim.layer_decay=0.5"],
]  # fmt: skip


@pytest.mark.parametrize("overrides", NEW, ids=",".join)
def test_a_run_resumed_within_an_epoch_ends_with_the_same_weights(overrides, tiny, tmp_path):
    cfg = tiny(*NORMED, "model.dropout=0.2", *overrides, "max_epochs=3")
    straight, fold, recipe = prepared(cfg)
    fit(straight, fold, recipe)
    interrupted(prepared(cfg)[0], fold, recipe, tmp_path)
    second = fit(restore(prepared(cfg)[0], tmp_path), fold, recipe)
    for one, other in ((straight.model, second.model), (straight.averaged, second.averaged)):
        values = other.state_dict()
        assert all(torch.equal(value, values[k]) for k, value in one.state_dict().items())
    assert values_of(straight) == values_of(second)


def test_the_comparison_finds_a_lost_momentum(tiny, tmp_path):
    cfg = tiny(*NORMED, "optim=lion", "max_epochs=3")
    straight, fold, recipe = prepared(cfg)
    fit(straight, fold, recipe)
    interrupted(prepared(cfg)[0], fold, recipe, tmp_path)
    second = restore(prepared(cfg)[0], tmp_path)
    second.optimizer.state.clear()
    assert not same(straight.model, fit(second, fold, recipe).model)


def interrupted(state, fold, recipe, folder):
    """Train to a checkpoint after 2 of the 3 steps of epoch 2; full batches, to its end."""

    class Killed(Checkpoint):
        def midway(self, state):
            super().midway(state)
            raise KeyboardInterrupt

    if recipe.batch_size > 16:
        once = dataclasses.replace(recipe, stop=lambda past: len(past) >= 2)
        fit(state, fold, once, [Checkpoint(folder)])
        return
    with pytest.raises(KeyboardInterrupt):
        fit(state, fold, recipe, [Killed(folder, OnceAfter(5))])


class OnceAfter:
    """The interval of checkpoints that lets one be written, after some steps."""

    def __init__(self, steps):
        self.left = steps

    def due(self):
        self.left -= 1
        return self.left == 0

    def restart(self):
        """Do nothing: no second checkpoint is due."""


def values_of(state):
    """Return the metrics of every epoch that do not measure time."""
    timed = ("seconds", "examples_per_second")
    return [
        {k: value for k, value in record.metrics.items() if k not in timed}
        for record in state.history
    ]


def test_the_mean_of_schedule_free_is_that_of_its_own_eval_mode(tiny):
    cfg = tiny(*SMALL, "optim=schedule_free")
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    trained = [weight.detach().clone() for weight in state.model.parameters()]
    state.optimizer.eval()
    assert same(state.model, state.averaged)
    pairs = zip(trained, state.model.parameters(), strict=True)
    assert not all(torch.equal(*pair) for pair in pairs)
    last = state.history[-1].metrics["val/loss"]
    assert evaluate(state.model, fold.val, fold.standardize, recipe, "val")["val/loss"] == last


def test_the_mean_is_validated_and_saved_with_statistics_of_its_own(tiny):
    for overrides in (["optim=schedule_free"], ["average=swa", "average.start=1"]):
        state, fold, recipe = prepared(tiny(*NORMED, *overrides))
        fit(state, fold, recipe)
        values = {
            name: evaluate(model, fold.val, fold.standardize, recipe, "val")["val/loss"]
            for name, model in (("mean", state.averaged), ("trained", state.model))
        }
        assert values["mean"] == state.history[-1].metrics["val/loss"] != values["trained"]
        before = state.averaged.hidden[1].running_var.clone()
        inputs = recipe.prepare(fold.standardize(fold.train.inputs))
        update_bn(inputs.split(16), state.averaged)
        torch.testing.assert_close(before, state.averaged.hidden[1].running_var)


def test_swa_evaluates_the_weights_themselves_before_its_start(tiny):
    state, fold, recipe = prepared(tiny(*NORMED, "average=swa", "average.start=2"))
    other, _, plain = prepared(tiny(*NORMED))
    fit(state, fold, recipe)
    fit(other, fold, plain)
    assert same(state.model, other.model), "training itself does not change"
    first, last = (record.metrics["val/loss"] for record in state.history)
    assert first == other.history[0].metrics["val/loss"]
    assert last != other.history[1].metrics["val/loss"], "statistics are measured again"
    assert same(state.averaged, state.model), "the first weights are those after epoch 2"


def test_norm_statistics_draw_no_random_numbers_and_leave_the_rest(tiny):
    state, fold, recipe = prepared(tiny(*NORMED, "model.dropout=0.5"))
    model = state.model
    norm, momentum = model.hidden[1], model.hidden[1].momentum
    weights, random = [w.detach().clone() for w in model.parameters()], torch.get_rng_state()
    measure_norm_statistics(model, fold, recipe)
    first = norm.running_mean.clone()
    measure_norm_statistics(model, fold, recipe)
    assert torch.equal(first, norm.running_mean), "independent of the statistics before"
    assert torch.equal(random, torch.get_rng_state())
    assert norm.momentum == momentum
    assert not model.training
    assert all(torch.equal(*pair) for pair in zip(weights, model.parameters(), strict=True))
    inputs = fold.standardize(fold.train.inputs)
    means = torch.stack([some.flatten(1).mean(0) for some in inputs.split(16)])
    expected = (means @ model.hidden[0].weight.T + model.hidden[0].bias).mean(0)
    torch.testing.assert_close(first, expected)
