"""A run that a signal stops writes a checkpoint where it is, and resumes to the same last bit."""

import dataclasses
import os
import signal
import time
from functools import partial

import pytest
import torch
from conftest import prepared, same

from dlcourse.core import Observer
from dlcourse.terminal import stop_signals
from dlcourse.terminal.stop_signals import (
    end_on_signals,
    resumable_by,
    stop_requested,
    stopped_by_signals,
)
from dlcourse.together.fit import fit_together
from dlcourse.together.lane import Lane
from dlcourse.train.checkpoint import read_checkpoint, restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit

BASE = ["model=mlp", "model.widths=[8]", "model.dropout=0.4", "augment=[noise]", "max_epochs=3",
        "batch_size=8", "optim=adam"]  # fmt: skip
TIMES = ("seconds", "examples_per_second")
STATUS = {"SIGINT": None, "SIGTERM": 143, "SIGHUP": 129, "SIGUSR1": 128 + signal.SIGUSR1}


def send(name):
    os.kill(os.getpid(), getattr(signal, name))


class Sends(Observer):
    """Sends this process a signal in a phase of the second epoch."""

    def __init__(self, name, phase):
        self.name, self.phase, self.epochs = name, phase, 0

    def watch(self, batches, count):
        for number, batch in enumerate(batches, 1):
            if self.epochs == 1 and number == {"step": 3, "last step": count}.get(self.phase):
                send(self.name)
            yield batch

    def settle(self, state, fold, recipe):
        if self.epochs == 1 and self.phase == "validation":
            send(self.name)

    def epoch(self, state):
        self.epochs += 1
        if self.epochs == 2 and self.phase == "save":
            send(self.name)


def measured(state):
    return [{k: v for k, v in record.metrics.items() if k not in TIMES} for record in state.history]


def stopped(cfg, folder, name, phase):
    """Train until a signal stops the run; return the exception and the checkpoint."""
    state, fold, recipe = prepared(cfg)
    sends = Sends(name, phase)
    recipe = dataclasses.replace(recipe, settle=sends.settle)
    with pytest.raises((KeyboardInterrupt, SystemExit)) as ended, stopped_by_signals():
        fit(state, fold, recipe, [sends, Checkpoint(folder)])
    return ended.value, read_checkpoint(folder / "checkpoints/last.pt")


@pytest.fixture(autouse=True)
def _listening():
    """Let SIGINT be heard: a shell lets processes in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def cfg(data_root):
    from conftest import TINY, composed

    return composed(f"data.root={data_root}", *TINY, *BASE)


@pytest.fixture(scope="module")
def uninterrupted(cfg):
    torch.manual_seed(0)
    state, fold, recipe = prepared(cfg)
    return fit(state, fold, recipe)


@pytest.mark.parametrize(
    ("name", "phase", "epochs", "step"),
    [
        ("SIGTERM", "step", 1, 3),
        ("SIGHUP", "last step", 1, 6),
        ("SIGUSR1", "validation", 1, 6),
        ("SIGINT", "save", 2, None),
    ],
)
def test_a_signal_stops_a_run_where_it_is_safe_and_the_rest_ends_in_the_same_weights(
    name, phase, epochs, step, cfg, uninterrupted, tmp_path
):
    error, content = stopped(cfg, tmp_path, name, phase)
    assert getattr(error, "code", None) == STATUS[name]
    assert isinstance(error, KeyboardInterrupt) == (name == "SIGINT")
    assert len(content["history"]) == epochs
    assert (content["midway"] or {}).get("step") == step
    torch.manual_seed(999)  # another process has another random state
    state, fold, recipe = prepared(cfg)
    state = fit(restore(state, tmp_path), fold, recipe, [Checkpoint(tmp_path)])
    assert same(uninterrupted.model, state.model)
    assert measured(uninterrupted) == measured(state)


def test_without_a_checkpoint_to_write_a_signal_still_stops_after_the_step(cfg):
    state, fold, recipe = prepared(cfg)
    with pytest.raises(SystemExit), stopped_by_signals():
        fit(state, fold, recipe, [Sends("SIGTERM", "step")])
    assert len(state.history) == 1
    assert not same(state.model, prepared(cfg)[0].model)


def test_all_lanes_that_are_trained_together_write_a_checkpoint(tiny, tmp_path):
    lanes = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        observers = [Checkpoint(folder)] + [Sends("SIGTERM", "step")] * (number == 1)
        config = tiny(*BASE, "model.dropout=0", "augment=[]", f"seed={number}")
        lanes.append(Lane(*prepared(config), observers, str(number)))
    with pytest.raises(SystemExit), stopped_by_signals():
        fit_together(lanes, engine="stacked")
    stored = [read_checkpoint(tmp_path / f"{n}/checkpoints/last.pt") for n in range(3)]
    positions = [(len(one["history"]), one["midway"]["step"]) for one in stored]
    assert positions == [(1, 3), (1, 3), (1, 2)]  # two had their third batch already


def test_handlers_are_put_back_and_ignored_signals_stay_ignored():
    before = {number: signal.getsignal(number) for number in stop_signals.STOPPING}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with stopped_by_signals():
            send("SIGHUP")
            assert not stop_requested()
            with stopped_by_signals():  # nested blocks are one
                pass
            with pytest.raises(SystemExit):
                send("SIGTERM")
        assert not stop_requested()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])
    assert {number: signal.getsignal(number) for number in stop_signals.STOPPING} == before


def in_fork(function):
    """Call a function in a forked process; return the process's status and its stderr."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writing, 2)
        try:
            function()
        finally:
            os._exit(77)
    os.close(writing)
    with os.fdopen(reading) as errors:
        text = errors.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def stubborn(names, pause):
    """Run what no first signal ends, and send signals with pauses between them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with stopped_by_signals(), resumable_by(lambda: "dlcourse train resume=here"):
        for name in names:
            try:
                send(name)
                time.sleep(pause)
            except (KeyboardInterrupt, SystemExit):  # as code that catches everything
                time.sleep(pause)


@pytest.mark.parametrize(
    ("names", "status"),
    [(["SIGTERM", "SIGTERM"], 143), (["SIGINT"] * 4, 130), (["SIGHUP", "SIGINT"], 130)],
)
def test_a_second_signal_ends_the_process_at_once_with_the_line(names, status):
    ended, errors = in_fork(partial(stubborn, names, 0.05))
    assert ended == status
    assert errors == "\nStopped. To resume: dlcourse train resume=here\n"


def test_a_signal_that_comes_twice_within_milliseconds_is_one(monkeypatch):
    monkeypatch.setattr(stop_signals, "SAME", 60.0)  # on a busy machine it takes longer
    ended, errors = in_fork(partial(stubborn, ["SIGTERM", "SIGTERM"], 0.0))
    assert (ended, errors) == (77, "")


def test_a_signal_during_the_first_imports_ends_the_process_silently():
    def early():
        end_on_signals()
        send("SIGTERM")

    assert in_fork(early) == (143, "")
