"""Folds that are trained together end as if each had been trained alone."""

import json
import shutil
from itertools import count

import pytest
import torch
from conftest import TINY, composed

from dlcourse.core import Observer
from dlcourse.engine import lanes
from dlcourse.engine.run import run
from dlcourse.errors import DivergedError, UserError
from dlcourse.runs import run_folder
from dlcourse.schema.validate import check
from dlcourse.train.checkpoint import history_of

FOLDS = ("model=mlp", "model.widths=[8]", "model.dropout=0.2", "split=kfold", "split.folds=3")


class Interrupts(Observer):
    """Interrupts the run after some epochs of all folds together."""

    def __init__(self, after: int) -> None:
        self.after, self.epochs = after, count(1)

    def epoch(self, state) -> None:
        if next(self.epochs) == self.after:
            raise KeyboardInterrupt


def run_stacked(cfg, folder, **more) -> None:
    """Run with the engine that needs no trial because it is stored in the folder."""
    folder.mkdir(exist_ok=True)
    run_folder.write_engine(folder, "stacked")
    run(cfg, folder, **more)


def histories(folder) -> list[dict]:
    """Return the metrics of every epoch of every fold, without times."""
    lines = [
        json.loads(line)
        for path in sorted(folder.glob("fold*/history.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [{key: one[key] for key in one if "second" not in key} for one in lines]


def weights(folder) -> list[torch.Tensor]:
    """Return the tensors of the last checkpoint of every fold."""
    paths = sorted(folder.glob("fold*/checkpoints/last.pt"))
    stored = (torch.load(path, weights_only=True)["model"] for path in paths)
    return [tensor for model in stored for tensor in model.values()]


def test_folds_trained_together_have_the_values_of_folds_trained_alone(tiny, tmp_path):
    options = (*FOLDS, "runtime.precision=fp64", "max_epochs=4")
    run_stacked(tiny(*options, "engine=together"), tmp_path / "together")
    run(tiny(*options), tmp_path / "alone")
    run(tiny(*options, "seed=1"), tmp_path / "other")
    assert run_folder.read_engine(tmp_path / "together") == "stacked"
    ours, theirs, others = (histories(tmp_path / name) for name in ("together", "alone", "other"))
    assert len(ours) == len(theirs) == 12
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-10)
    assert ours[-1]["val/loss"] != pytest.approx(others[-1]["val/loss"], rel=1e-4)
    for one, other in zip(weights(tmp_path / "together"), weights(tmp_path / "alone"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
    for part in ("mean", "std", "out_of_fold", "ensemble"):
        ours, theirs = (
            run_folder.read_result(tmp_path / name)[part] for name in ("together", "alone")
        )
        assert ours == pytest.approx(theirs, rel=1e-9)
    files = [
        {str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*")}
        for name in ("together", "alone")
    ]
    assert files[0] - {"together.json"} == files[1]


@pytest.mark.parametrize("after", [4, 8])
def test_folds_interrupted_together_resume_and_end_with_the_same_bits(tiny, tmp_path, after):
    cfg = tiny(*FOLDS, "max_epochs=4", "engine=together")
    run_stacked(cfg, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_stacked(cfg, tmp_path / "halves", observers=[Interrupts(after)])
    assert not list((tmp_path / "halves").glob("fold*/result.json"))
    run(cfg, tmp_path / "halves")
    assert histories(tmp_path / "halves") == histories(tmp_path / "whole")
    pairs = zip(weights(tmp_path / "halves"), weights(tmp_path / "whole"), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


@pytest.fixture(scope="module")
def killed(data_root, tmp_path_factory):
    """Return a config, a run and a function that makes one killed while it saved an epoch.

    The function's argument is the number of epochs of the fold that was not saved yet.
    """
    top = tmp_path_factory.mktemp("killed")
    options = [*TINY, f"data.root={data_root}", *FOLDS, "engine=together", "max_epochs=4"]
    cfg = composed(*options)
    run_stacked(cfg, top / "whole")
    for epochs in range(4):
        with pytest.raises(KeyboardInterrupt):
            run_stacked(cfg, top / str(epochs), observers=[Interrupts(3 * epochs + 1)])

    def made(epochs, folder):
        shutil.copytree(top / str(epochs + 1), folder)
        shutil.rmtree(folder / "fold1")
        shutil.copytree(top / str(epochs) / "fold1", folder / "fold1")

    return cfg, top / "whole", made


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_folds_killed_at_different_epochs_resume_at_the_same_one(epochs, killed, tmp_path):
    cfg, whole, made = killed
    made(epochs, tmp_path / "run")
    done = [len(history_of(tmp_path / f"run/fold{fold}")) for fold in range(3)]
    assert done == [epochs + 1, epochs, epochs + 1]
    run(cfg, tmp_path / "run")
    assert histories(tmp_path / "run") == histories(whole)
    assert all(map(torch.equal, weights(tmp_path / "run"), weights(whole)))


def test_folds_resumed_at_different_epochs_differ_by_rounding(killed, tmp_path, monkeypatch):
    cfg, whole, made = killed
    made(1, tmp_path / "run")
    monkeypatch.setattr(lanes, "to_same_epoch", lambda folders: None)
    run(cfg, tmp_path / "run")
    pairs = list(zip(weights(tmp_path / "run"), weights(whole), strict=True))
    assert not all(torch.equal(*pair) for pair in pairs)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs)


def test_a_resumed_run_uses_the_engine_that_is_stored(tiny, tmp_path, capsys):
    cfg = tiny(*FOLDS, "engine=together")
    (tmp_path / "run").mkdir()
    run_folder.write_engine(tmp_path / "run", "in_turn")
    run(cfg, tmp_path / "run")
    assert "together: 3 runs one after another (as before)" in capsys.readouterr().out


def test_what_is_not_faster_together_is_trained_in_turn_with_the_same_bits(tiny, tmp_path, capsys):
    options = ("model=lenet", "split=kfold", "split.folds=2", "max_epochs=1")
    run(tiny(*options, "engine=together"), tmp_path / "together")
    assert "together: 2 runs one after another (" in capsys.readouterr().out
    run(tiny(*options), tmp_path / "alone")
    assert histories(tmp_path / "together") == histories(tmp_path / "alone")


def test_a_run_without_folds_is_trained_alone(tiny, tmp_path, capsys):
    run(tiny("model=mlp", "model.widths=[8]", "engine=together"), tmp_path / "run")
    assert lanes.NOTHING_TO_COMBINE in capsys.readouterr().out
    assert run_folder.read_result(tmp_path / "run") is not None


def test_a_fold_that_diverges_ends_the_run_after_the_folds_before_it(tiny, tmp_path, monkeypatch):
    true_step = lanes.train_joint

    def spoiled(joint, *more):
        with torch.no_grad():
            next(joint.lanes[1].state.model.parameters()).fill_(1e30)
        true_step(joint, *more)

    monkeypatch.setattr(lanes, "train_joint", spoiled)
    with pytest.raises(DivergedError, match="fold1"):
        run_stacked(tiny(*FOLDS, "engine=together"), tmp_path / "run")
    assert run_folder.read_result(tmp_path / "run/fold0") is not None
    assert run_folder.read_result(tmp_path / "run/fold1") is None
    with pytest.raises(UserError, match="diverged"):
        run_folder.refuse_diverged(tmp_path / "run")


def test_one_line_per_epoch_shows_the_mean_over_all_folds(tiny, tmp_path, capsys):
    cfg = tiny(*FOLDS, "engine=together", "observe=[console,history]")
    run_stacked(cfg, tmp_path / "run")
    printed = capsys.readouterr().out
    assert "3 folds together: 40 train, 20 val" in printed
    lines = [line for line in printed.splitlines() if line.startswith("epoch ")]
    assert [line.split("  ")[:2] for line in lines] == [
        ["epoch 1/2", "3 folds"],
        ["epoch 2/2", "3 folds"],
    ]
    last = [one["val/loss"] for one in histories(tmp_path / "run") if one["epoch"] == 2]
    assert f"val loss {sum(last) / 3:.4f}" in lines[1]
    assert printed.count("best epoch") == 3


def test_models_on_several_devices_are_refused_together(tiny):
    with pytest.raises(UserError, match="engine=together trains several models on one device"):
        check(tiny("engine=together", "runtime.devices=2"))
