"""A stopped run resumes to the same weights, bit for bit; a damaged file is never loaded."""

import random

import pytest
import torch
from conftest import options, prepared, same

from dlcourse import atomic_files
from dlcourse.core import Observer
from dlcourse.errors import UserError
from dlcourse.train import fit as fit_module
from dlcourse.train.checkpoint import read_best, restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit

STATEFUL = [
    "model=mlp", "model.dropout=0.4", "model.norm=batch", "augment=[noise]", "max_epochs=5",
    "schedule=plateau", "schedule.patience=0", "stop.patience=4",
]  # fmt: skip
TIMES = ("seconds", "examples_per_second")


class Stopped(Exception):
    pass


class StopAfter(Observer):
    def __init__(self, epoch):
        self.last = epoch

    def epoch(self, state):
        if len(state.history) == self.last:
            raise Stopped


def history(state):
    return [
        {name: value for name, value in record.metrics.items() if name not in TIMES}
        for record in state.history
    ]


def uninterrupted(cfg, folder):
    state, fold, recipe = prepared(cfg)
    folder.mkdir()
    return fit(state, fold, recipe, [Checkpoint(folder)])


def interrupted(cfg, folder, epoch, restorer=restore):
    state, fold, recipe = prepared(cfg)
    folder.mkdir()
    with pytest.raises(Stopped):
        fit(state, fold, recipe, [Checkpoint(folder), StopAfter(epoch)])
    torch.manual_seed(999)  # another process has another random state
    state, fold, recipe = prepared(cfg)
    return fit(restorer(state, folder), fold, recipe, [Checkpoint(folder)])


@pytest.mark.parametrize("optim", sorted(set(options("optim")) - {"closed_form"}))
@pytest.mark.parametrize("epoch", [1, 3])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_bit(optim, epoch, tiny, tmp_path):
    cfg = tiny(*STATEFUL, f"optim={optim}")
    whole = uninterrupted(cfg, tmp_path / "whole")
    parts = interrupted(cfg, tmp_path / "parts", epoch)
    assert same(whole.model, parts.model)
    assert history(whole) == history(parts)
    for name in ("last.pt", "best.pt"):
        first, second = (
            atomic_files.load_checked(tmp_path / run / "checkpoints" / name)
            for run in ("whole", "parts")
        )
        for a, b in zip(first["model"].values(), second["model"].values(), strict=True):
            assert torch.equal(a, b)


def test_averaged_weights_of_a_resumed_run_equal_those_of_an_uninterrupted_one(tiny, tmp_path):
    cfg = tiny(*STATEFUL, "average=ema", "average.decay=0.9")
    whole = uninterrupted(cfg, tmp_path / "whole")
    parts = interrupted(cfg, tmp_path / "parts", 2)
    assert same(whole.averaged, parts.averaged)
    assert not same(whole.averaged, whole.model)
    assert history(whole) == history(parts)


def test_the_comparison_detects_a_lost_optimizer_state(tiny, tmp_path):
    def forgetful(state, folder):
        fresh = state.optimizer.state_dict()
        restore(state, folder)
        state.optimizer.load_state_dict(fresh)
        return state

    cfg = tiny(*STATEFUL, "optim=momentum")
    whole = uninterrupted(cfg, tmp_path / "whole")
    assert not same(whole.model, interrupted(cfg, tmp_path / "parts", 2, forgetful).model)


def test_the_comparison_detects_epochs_that_are_not_reseeded(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_module, "reseed", lambda seed, epoch: None)
    cfg = tiny(*STATEFUL, "optim=momentum")
    whole = uninterrupted(cfg, tmp_path / "whole")
    assert not same(whole.model, interrupted(cfg, tmp_path / "parts", 2).model)


def test_training_does_not_change_a_finished_state(tiny, tmp_path):
    cfg = tiny(*STATEFUL)
    whole = uninterrupted(cfg, tmp_path / "whole")
    state, fold, recipe = prepared(cfg)
    again = fit(restore(state, tmp_path / "whole"), fold, recipe)
    assert same(whole.model, again.model)
    assert len(again.history) == len(whole.history)


def test_the_best_weights_are_those_of_the_best_epoch(tiny, tmp_path):
    cfg = tiny("model=mlp", "max_epochs=4", "optim.lr=0.05")
    (tmp_path / "run").mkdir()
    kept = {}

    class Keep(Observer):
        def epoch(self, state):
            kept[len(state.history)] = {n: v.clone() for n, v in state.model.state_dict().items()}

    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe, [Checkpoint(tmp_path / "run"), Keep()])
    accuracies = [record.metrics["val/accuracy"] for record in state.history]
    best = accuracies.index(max(accuracies)) + 1
    epoch, standardize = read_best(state.model, tmp_path / "run")
    assert epoch == best
    assert all(torch.equal(v, kept[best][n]) for n, v in state.model.state_dict().items())
    assert torch.equal(standardize.mean, fold.standardize.mean)


def test_without_a_checkpoint_the_state_stays_fresh(tiny, tmp_path):
    state, _, _ = prepared(tiny("model=mlp"))
    assert restore(state, tmp_path) is state
    assert state.history == []


def test_flipped_bits_and_truncated_files_are_detected(tmp_path):
    path = tmp_path / "some.pt"
    content = {"model": {"weight": torch.randn(2000)}, "history": [[1, {"val/loss": 0.5}]]}
    atomic_files.save_checked(path, content)
    whole = path.read_bytes()
    generator = random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(atomic_files.DamagedFileError):
            atomic_files.load_checked(path)
    for length in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(atomic_files.DamagedFileError):
            atomic_files.load_checked(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "some.pt"
    atomic_files.save_checked(path, {"number": 1})

    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        atomic_files.write(path, fail)
    assert atomic_files.load_checked(path) == {"number": 1}
    assert list(tmp_path.iterdir()) == [path]


class Bomb:
    def __reduce__(self):
        return (open, ("bomb.txt", "w"))


def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Bomb()}, tmp_path / "bomb.pt")
    with pytest.raises(atomic_files.DamagedFileError):
        atomic_files.load_checked(tmp_path / "bomb.pt")
    assert not (tmp_path / "bomb.txt").exists()


def test_a_checkpoint_of_another_model_is_refused(tiny, tmp_path):
    uninterrupted(tiny("model=mlp"), tmp_path / "run")
    with pytest.raises(UserError, match="does not fit"):
        restore(prepared(tiny("model=linear"))[0], tmp_path / "run")
