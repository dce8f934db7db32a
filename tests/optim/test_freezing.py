"""Parts of a model are frozen in given epochs and have their own factor of the weight decay."""

import dataclasses

import pytest
import torch
from conftest import prepared, same
from torch import nn

from dlcourse.core import Observer
from dlcourse.errors import UserError
from dlcourse.optim.groups import parameter_groups
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit

OVERRIDES = ["model=mlp", "model.widths=[8]", "data.size=8", "max_epochs=4", "stop=never"]
WINDOWS = ["optim.freeze_after=[hidden.*:2]", "optim.freeze_until=[output.weight:3]"]


class Copies(Observer):
    """Keep a copy of all weights after every epoch."""

    def start(self, state, recipe, fold):
        self.copies = []
        self.epoch(state)

    def epoch(self, state):
        self.copies.append({n: p.detach().clone() for n, p in state.model.named_parameters()})

    def moved(self, name):
        """Return the epochs, from 0, in which a parameter changed."""
        pairs = enumerate(zip(self.copies, self.copies[1:], strict=False))
        return [epoch for epoch, (a, b) in pairs if not torch.equal(a[name], b[name])]


@pytest.mark.parametrize("optim", ["sgd", "momentum", "adam", "adamw", "muon", "sam"])
def test_a_part_is_trained_in_its_epochs_only(optim, tiny):
    overrides = [*OVERRIDES, *WINDOWS, f"optim={optim}", "optim.weight_decay=0.01"]
    state, fold, recipe = prepared(tiny(*overrides))
    watch = Copies()
    fit(state, fold, recipe, [watch])
    assert watch.moved("hidden.0.weight") == watch.moved("hidden.0.bias") == [0, 1]
    assert watch.moved("output.weight") == [3]
    assert watch.moved("output.bias") == [0, 1, 2, 3]
    assert all(record.metrics["lr"] > 0 for record in state.history)


def test_a_part_can_be_frozen_within_an_epoch(tiny):
    ends = []
    for epochs in (0.5, 1):
        state, fold, recipe = prepared(
            tiny(*OVERRIDES, "optim.freeze_after=[hidden.*:0.5]", "batch_size=12")
        )
        fit(state, fold, dataclasses.replace(recipe, max_epochs=epochs))
        ends.append(state.model)
    assert torch.equal(ends[0].hidden[0].weight, ends[1].hidden[0].weight)
    assert not torch.equal(ends[0].output.weight, ends[1].output.weight)


def test_a_resumed_run_freezes_as_an_uninterrupted_one(tiny, tmp_path):
    cfg = tiny(*OVERRIDES, *WINDOWS)
    whole, fold, recipe = prepared(cfg)
    fit(whole, fold, recipe)
    first, *_ = prepared(cfg)
    once = dataclasses.replace(recipe, stop=lambda past: len(past) >= 2)
    fit(first, fold, once, [Checkpoint(tmp_path)])
    assert same(whole.model, fit(restore(prepared(cfg)[0], tmp_path), fold, recipe).model)


def test_parameters_that_would_never_be_trained_are_refused():
    with pytest.raises(UserError, match=r"weight would never be trained.*\n.*optim\.freeze"):
        parameter_groups(
            nn.Linear(2, 2), 0.0, False, {}, [],
            freeze_after={"*": 2.0}, freeze_until={"weight": 3.0},
        )  # fmt: skip


@pytest.mark.parametrize("key", ["decays", "freeze_after", "freeze_until", "apart"])
def test_a_pattern_without_a_match_is_refused_with_its_key(key, tiny):
    text = "feature.*" if key == "apart" else "feature.*:0.5"
    with pytest.raises(UserError, match=rf"optim\.{key}: no parameter.*\n.*'optim\.{key}="):
        prepared(tiny("model=lenet", "optim=muon", f"optim.{key}=[{text}]"))


def test_decays_multiply_the_weight_decay_and_the_last_match_wins(tiny):
    overrides = ["optim.weight_decay=0.1", "optim.decay_all=true"]
    overrides += ["optim.decays=[*.bias:0.5,output.*:0]"]
    state, *_ = prepared(tiny(*OVERRIDES, "optim=adamw", *overrides))
    names = {id(p): name for name, p in state.model.named_parameters()}
    groups = state.optimizer.param_groups
    decay = {names[id(p)]: group["weight_decay"] for group in groups for p in group["params"]}
    assert decay == {
        "hidden.0.weight": 0.1, "hidden.0.bias": 0.05, "output.weight": 0.0, "output.bias": 0.0,
    }  # fmt: skip
