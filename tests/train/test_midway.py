"""A run that is killed within an epoch resumes there, and its weights are equal bit for bit."""

import dataclasses
import random

import numpy as np
import pytest
import torch
from conftest import prepared, same
from PIL import Image

from dlcourse.train import fit as fit_module
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import ended_by, fit
from dlcourse.train.meter import Meter
from dlcourse.train.midway import Every

BASE = ["model=mlp", "model.widths=[8]", "model.dropout=0.4", "augment=[noise]", "max_epochs=3",
        "batch_size=8"]  # fmt: skip
TIMES = ("seconds", "examples_per_second")


class Killed(Exception):
    pass


class KilledAfter(Checkpoint):
    """Raises after a given number of checkpoints within an epoch, as if the run was killed."""

    def __init__(self, folder, every, number):
        super().__init__(folder, every)
        self.left = number

    def save(self, state):
        super().save(state)
        self.left -= state.midway is not None
        if self.left == 0:
            raise Killed


def measured(state):
    return [{k: v for k, v in record.metrics.items() if k not in TIMES} for record in state.history]


def interrupted(cfg, folder, number, interval=2):
    folder.mkdir()
    state, fold, recipe = prepared(cfg)
    keeper = KilledAfter(folder, Every(interval), number)
    with pytest.raises(Killed):
        fit(state, fold, recipe, [keeper])
    torch.manual_seed(999)  # another process has another random state
    np.random.seed(1)
    random.seed(1)
    state, fold, recipe = prepared(cfg)
    keeper = Checkpoint(folder, Every(interval))
    return fit(restore(state, folder), fold, recipe, [keeper])


def whole(cfg):
    state, fold, recipe = prepared(cfg)
    return fit(state, fold, recipe)


CASES = [
    ["optim=adam"], ["optim=muon"], ["optim=sam"], ["optim=momentum", "schedule=one_cycle"],
    ["average=ema"], ["average=lookahead"], ["model.norm=batch", "max_epochs=2.5"],
    ["model=lenet", "augment=[crop,flip,cutout,mixup,rand_augment]", "metric=[accuracy,top_k]"],
]  # fmt: skip


@pytest.mark.parametrize("overrides", CASES, ids=lambda overrides: overrides[0])
def test_a_run_killed_within_an_epoch_resumes_to_the_same_last_bit(overrides, tiny, tmp_path):
    lenet = overrides[0] == "model=lenet"
    base = [override for override in BASE if not (lenet and "model" in override)]
    cfg = tiny(*base, *overrides)
    uninterrupted = whole(cfg)
    parts = interrupted(cfg, tmp_path / "run", 4)  # in the second epoch
    assert same(uninterrupted.model, parts.model)
    assert same(uninterrupted.averaged, parts.averaged)
    assert measured(uninterrupted) == measured(parts)


def test_a_run_on_streamed_images_resumes_within_an_epoch(compose, tmp_path):
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            pixels = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"images/{name}/{number}.png")
    cfg = compose(
        "data=image_folder", f"data.root={tmp_path}", "data.folder=images", "data.memory=0",
        "data.workers=0", "data.size=8", "model=mlp", "model.dropout=0.3", "max_epochs=2",
        "batch_size=4", "runtime=cpu",
    )  # fmt: skip
    uninterrupted = whole(cfg)
    parts = interrupted(cfg, tmp_path / "run", 1)
    assert same(uninterrupted.model, parts.model)
    assert measured(uninterrupted) == measured(parts)


def test_the_comparison_detects_lost_random_states_and_lost_sums(tiny, tmp_path, monkeypatch):
    cfg = tiny(*BASE)
    uninterrupted = whole(cfg)
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "restore_rng_states", lambda found: None)
        assert not same(uninterrupted.model, interrupted(cfg, tmp_path / "draws", 1).model)
    with monkeypatch.context() as patch:
        restored = Meter.load_state_dict

        def forgetful(self, content, device, steps):
            restored(self, content | {"waiting": content["waiting"][1:]}, device, steps)

        patch.setattr(Meter, "load_state_dict", forgetful)
        parts = interrupted(cfg, tmp_path / "sums", 1)
    assert same(uninterrupted.model, parts.model)
    assert measured(uninterrupted) != measured(parts)


def test_checkpoints_within_an_epoch_do_not_change_the_training(tiny, tmp_path):
    cfg = tiny(*BASE, "optim=adam")
    state, fold, recipe = prepared(cfg)
    keeper = Checkpoint(tmp_path, Every(1))
    fit(state, fold, recipe, [keeper])
    uninterrupted = whole(cfg)
    assert same(uninterrupted.model, state.model)
    assert measured(uninterrupted) == measured(state)
    assert state.midway is None


def test_a_checkpoint_is_due_after_steps_or_seconds(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("dlcourse.train.midway.monotonic", lambda: now[0])
    steps, time = Every(3), Every("2m")
    assert [steps.due() for _ in range(3)] == [False, False, True]
    steps.restart()
    assert not steps.due()
    now[0] = 119.0
    assert not time.due()
    now[0] = 121.0
    assert time.due()
    time.restart()
    assert not time.due()


class Clock:
    """A clock that advances by one second at every reading."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(fit_module, "perf_counter", self)

    def __call__(self):
        self.now += 1.0
        return self.now


def timed(cfg, seconds, monkeypatch, state=None):
    fresh, fold, recipe = prepared(cfg)
    Clock(monkeypatch)
    recipe = dataclasses.replace(recipe, max_seconds=seconds)
    return fit(state or fresh, fold, recipe), recipe


def test_max_time_ends_a_run_within_an_epoch_and_drops_this_epoch(tiny, monkeypatch):
    cfg = tiny(*BASE, "max_epochs=50")
    state, recipe = timed(cfg, 35.0, monkeypatch)
    assert ended_by(state, recipe) == "max_time"
    assert 1 < len(state.history) < 10
    assert not any("share_of_epoch" in record.metrics for record in state.history)
    done = len(state.history)
    assert state.seconds <= 35.0
    state, recipe = timed(cfg, 35.0, monkeypatch, state)  # no time is left
    assert len(state.history) == done
    state, recipe = timed(cfg, 70.0, monkeypatch, state)
    assert len(state.history) > done
    whole_run = measured(whole(tiny(*BASE, "max_epochs=3")))
    assert measured(timed(cfg, 35.0, monkeypatch)[0])[:2] == whole_run[:2]


def test_a_first_epoch_that_max_time_cuts_is_kept_as_a_fraction(tiny, monkeypatch):
    state, recipe = timed(tiny(*BASE), 3.0, monkeypatch)
    (record,) = state.history
    assert 0 < record.metrics["share_of_epoch"] < 1
    assert record.metrics["val/loss"] > 0
    assert ended_by(state, recipe) == "max_time"


def test_ended_by_names_max_epochs_and_early_stopping(tiny):
    state, fold, recipe = prepared(tiny("model=mlp"))
    fit(state, fold, recipe)
    assert ended_by(state, recipe) == "max_epochs"
    assert ended_by(state, dataclasses.replace(recipe, max_epochs=9, stop=lambda past: True)) == (
        "stop"
    )
