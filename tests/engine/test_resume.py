"""A run resumed with more epochs equals the long run, or reports what differs."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import TINY, composed, options, prepared, same

from dlcourse import atomic_files
from dlcourse.core import Observer, Record
from dlcourse.engine import origin
from dlcourse.engine.fold import share_of_time
from dlcourse.engine.resume import end_differences
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.runs import run_folder, start_record
from dlcourse.schema import run_files
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit

EXACT = {
    "constant", "step", "exponential", "inverse_time", "plateau", "cyclic", "cosine_restarts",
}  # fmt: skip
SMALL = ["model=mlp", "model.widths=[8]", "model.dropout=0.2", "data.examples=60", "batch_size=16",
         "runtime=cpu", "observe=[history]"]  # fmt: skip


def last_weights(folder):
    content = atomic_files.load_checked(folder / "checkpoints/last.pt")
    return [content["model"][name] for name in sorted(content["model"])]


def equal(first, second):
    return all(map(torch.equal, last_weights(first), last_weights(second)))


@pytest.mark.parametrize("schedule", options("schedule"))
def test_more_epochs_equal_the_long_run_unless_a_difference_is_reported(schedule, tiny, tmp_path):
    short, long = (
        tiny(*SMALL, f"schedule={schedule}", "stop=never", f"max_epochs={epochs}")
        for epochs in (2, 4)
    )
    state, fold, recipe = prepared(short)
    fit(state, fold, recipe, [Checkpoint(tmp_path)])
    reported = list(end_differences(long, short, state.history))
    assert bool(reported) == (schedule not in EXACT)
    state, fold, recipe = prepared(long)
    continued = fit(restore(state, tmp_path), fold, recipe)
    state, fold, recipe = prepared(long)
    assert same(continued.model, fit(state, fold, recipe).model) == (not reported)


def test_a_cut_epoch_and_averaging_are_reported_as_differences(tiny):
    history = [Record(epoch, {"val/accuracy": 0.5}) for epoch in (1, 2, 3)]
    ends = [tiny(*SMALL, f"max_epochs={epochs}") for epochs in (2.5, 4)]
    assert any("Epoch 3 was cut" in note for note in end_differences(*ends[::-1], history))
    ends = [tiny(*SMALL, "average=lookahead", f"max_epochs={epochs}") for epochs in (3, 4)]
    assert any("average" in note for note in end_differences(*ends[::-1], history))


def test_a_finished_run_resumed_with_more_epochs_records_its_earlier_result(here, tmp_path):
    here(*SMALL, "schedule=cosine", "max_epochs=1", "stop=never", "hydra.run.dir=run")
    short = run_folder.read_result(tmp_path / "run")
    ended = here("resume=run", "max_epochs=2")
    assert ended.returncode == 0, ended.stderr
    assert "The schedule depends on max_epochs" in ended.stdout
    result = run_folder.read_result(tmp_path / "run")
    assert (result["epochs"], result["ended_by"]) == (2, "max_epochs")
    assert result["continued"][0]["test"] == short["test"]
    assert not (tmp_path / "run" / run_files.PREVIOUS).exists()
    assert "Results are in" in here("resume=run").stdout
    assert start_record.stored_config(tmp_path / "run")["max_epochs"] == 2


def test_an_early_stopped_run_resumes_with_more_patience_or_without_stopping(here, tmp_path):
    overrides = [*SMALL, "optim.lr=1e-9", "max_epochs=6"]
    here(*overrides, "stop.patience=1", "hydra.run.dir=run")
    assert run_folder.read_result(tmp_path / "run")["ended_by"] == "stop"
    assert here("resume=run", "stop.patience=3").returncode == 0
    assert run_folder.read_result(tmp_path / "run")["epochs"] == 4
    assert here("resume=run", "stop=never").returncode == 0
    result = run_folder.read_result(tmp_path / "run")
    assert (result["epochs"], result["ended_by"]) == (6, "max_epochs")
    assert [one["epochs"] for one in result["continued"]] == [2, 4]
    here(*overrides, "stop=never", "hydra.run.dir=long")
    assert equal(tmp_path / "run", tmp_path / "long")


@pytest.mark.parametrize(
    ("more", "message"),
    [("max_epochs=1", "less than the 2 epochs"), ("seed=3", "seed: 0 -> 3"),
     ("optim.lr=1", "optim.lr"), ("monitor=val/loss", "monitor"), ("max_time=0", "max_time=0")],
)  # fmt: skip
def test_an_override_that_changes_past_epochs_is_refused_and_no_file_changes(
    more, message, here, tmp_path
):
    here(*SMALL, "max_epochs=2", "stop=never", "hydra.run.dir=run")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.suffix in (".json", ".yaml")}
    ended = here("resume=run", more)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_patience_that_would_have_stopped_the_run_earlier_is_refused(here, tmp_path):
    here(*SMALL, "optim.lr=1e-9", "max_epochs=4", "stop.patience=9", "hydra.run.dir=run")
    ended = here("resume=run", "stop.patience=2")
    assert ended.returncode == 2
    assert "would have ended after epoch 3" in ended.stderr
    assert run_folder.read_result(tmp_path / "run")["epochs"] == 4


def test_the_earlier_result_is_kept_until_a_new_one_is_written(here, tmp_path, monkeypatch):
    here(*SMALL, "max_epochs=2", "stop=never", "hydra.run.dir=run")
    earlier = (tmp_path / "run/result.json").read_text()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dlcourse.engine.folds.fit", killed)
        assert here("resume=run", "max_epochs=4").returncode == 130
    assert (tmp_path / "run" / run_files.PREVIOUS).read_text() == earlier
    assert run_folder.read_result(tmp_path / "run") is None
    assert here("resume=run").returncode == 0
    assert run_folder.read_result(tmp_path / "run")["epochs"] == 4


def test_every_fold_resumes_and_the_folds_share_max_time(here, tmp_path):
    overrides = [*SMALL, "split=kfold", "split.folds=2", "stop=never"]
    here(*overrides, "max_epochs=1", "hydra.run.dir=run")
    assert here("resume=run", "max_epochs=2").returncode == 0
    here(*overrides, "max_epochs=2", "hydra.run.dir=long")
    for fold in ("fold0", "fold1"):
        assert equal(tmp_path / "run" / fold, tmp_path / "long" / fold)
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert [fold["epochs"] for fold in result["folds"]] == [2, 2]
    here(*overrides, "max_epochs=9999", "max_time=1s", "hydra.run.dir=timed")
    timed = run_folder.read_result(tmp_path / "timed")
    assert [fold["ended_by"] for fold in timed["folds"]] == ["max_time"] * 2
    assert share_of_time({"max_time": "1m"}, 2) == 30.0


def test_a_job_of_a_sweep_is_not_resumed_with_more_epochs(here, tmp_path):
    here(*SMALL, "max_epochs=1", "hydra.run.dir=sweep/job")
    (tmp_path / "sweep/sweep.json").write_text("{}")
    ended = here("resume=sweep/job", "max_epochs=2")
    assert ended.returncode == 2
    assert "is a job of a sweep" in ended.stderr


@pytest.fixture(scope="module")
def stopped(data_root, tmp_path_factory):
    """A run of two epochs without its result, as if it had been killed before its end."""
    cfg = composed(f"data.root={data_root}", *TINY, *SMALL, "stop=never")
    folder = tmp_path_factory.mktemp("stopped") / "run"
    run(cfg, folder)
    (folder / run_files.RESULT).unlink()
    return cfg, folder


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("  lr: 0.001", "  lr: 0.5"), "optim.lr: 0.001 -> 0.5"),
        (("seed: 0\n", "seed: 7\n"), "seed: 0 -> 7"),
        (("dropout: 0.2", "dropout: 0.3"), "model.dropout: 0.2 -> 0.3"),
    ],
)
def test_a_stored_config_that_was_edited_is_refused_with_the_difference(
    edit, message, stopped, tmp_path
):
    folder = Path(shutil.copytree(stopped[1], tmp_path / "run"))
    path = folder / run_files.CONFIG
    text = path.read_text()
    path.write_text(text.replace(*edit))
    assert path.read_text() != text
    with pytest.raises(UserError, match=f"was edited since(?s:.)*{message}"):
        run(start_record.stored_config(folder), folder)
    path.write_text(text)
    run(start_record.stored_config(folder), folder)
    assert run_folder.read_result(folder)["epochs"] == 2


def test_a_resume_with_other_threads_or_another_torch_is_said(
    stopped, tmp_path, monkeypatch, capsys
):
    folder = Path(shutil.copytree(stopped[1], tmp_path / "run"))
    run(stopped[0], folder)
    assert "resumed with another" not in capsys.readouterr().out  # the control
    (folder / run_files.RESULT).unlink()
    monkeypatch.setattr(origin, "this_machine", lambda: {"torch": "9.9", "threads": 64})
    run(stopped[0], folder)
    said = capsys.readouterr().out
    assert "threads: 1 -> 64" in said
    assert f"torch: {torch.__version__} -> 9.9" in said


def test_other_data_are_refused_by_the_checkpoint_when_their_record_is_gone(tiny, tmp_path):
    table = tmp_path / "t.csv"
    rows = [f"{number * 37 % 11},{'pq'[number % 2]}" for number in range(60)]
    table.write_text("\n".join(["a,y", *rows]) + "\n")
    cfg = tiny(*SMALL, "data=csv", f"data.root={tmp_path}", "data.file=t.csv", "data.target=y",
               "data.examples=null", "loss=cross_entropy")  # fmt: skip
    folder = tmp_path / "run"
    run(cfg, folder)
    for name in (run_files.RESULT, run_files.DATA):
        (folder / name).unlink()
    table.write_text("\n".join(["a,y", *rows[:-9]]) + "\n")
    with pytest.raises(UserError, match="were trained on other data"):
        run(cfg, folder)


class StopsAfterOneEpoch(Observer):
    def epoch(self, state):
        raise KeyboardInterrupt


def test_a_run_in_a_renamed_folder_resumes_to_the_same_last_bit(tmp_path):
    cfg = composed(*SMALL, "max_epochs=3")
    run(cfg, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(cfg, tmp_path / "before", observers=[StopsAfterOneEpoch()])
    (tmp_path / "before").rename(tmp_path / "after")
    run(cfg, tmp_path / "after")
    assert equal(tmp_path / "after", tmp_path / "whole")
