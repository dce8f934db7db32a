"""A run continues to a later end as if it had had it from the start, or says what differs."""

import json

import pytest
import torch
from conftest import options, prepared, same
from omegaconf import OmegaConf

from dlcourse import atomic_files
from dlcourse.core import Record
from dlcourse.engine.resume import end_differences
from dlcourse.engine.run import share_of_time
from dlcourse.runs import run_folder
from dlcourse.train.checkpoint import Checkpoint, restore
from dlcourse.train.fit import fit

EXACT = {"constant", "step", "exponential", "inverse_time", "plateau"}
SMALL = ["model=mlp", "model.widths=[8]", "model.dropout=0.2", "data.examples=60", "batch_size=16",
         "runtime=cpu", "observe=[history]"]  # fmt: skip


def end(folder):
    content = atomic_files.load_checked(folder / "checkpoints/last.pt")
    return [content["model"][name] for name in sorted(content["model"])]


def equal(first, second):
    return all(map(torch.equal, end(first), end(second)))


@pytest.mark.parametrize("schedule", options("schedule"))
def test_a_later_end_is_that_of_the_long_run_exactly_where_no_difference_is_said(
    schedule, tiny, tmp_path
):
    short, long = (
        tiny(*SMALL, f"schedule={schedule}", "stop=never", f"max_epochs={epochs}")
        for epochs in (2, 4)
    )
    state, fold, recipe = prepared(short)
    fit(state, fold, recipe, [Checkpoint(tmp_path)])
    said = list(end_differences(long, short, state.history))
    assert bool(said) == (schedule not in EXACT)
    state, fold, recipe = prepared(long)
    continued = fit(restore(state, tmp_path), fold, recipe)
    state, fold, recipe = prepared(long)
    assert same(continued.model, fit(state, fold, recipe).model) == (not said)


def test_what_else_depends_on_the_number_of_epochs_is_said(tiny):
    history = [Record(epoch, {"val/accuracy": 0.5}) for epoch in (1, 2, 3)]
    ends = [tiny(*SMALL, f"max_epochs={epochs}") for epochs in (2.5, 4)]
    assert any("Epoch 3 was cut" in note for note in end_differences(*ends[::-1], history))
    ends = [tiny(*SMALL, "average=lookahead", f"max_epochs={epochs}") for epochs in (3, 4)]
    assert any("average" in note for note in end_differences(*ends[::-1], history))


def test_a_finished_run_with_more_epochs_has_a_new_result_that_names_the_earlier_one(
    here, tmp_path
):
    here(*SMALL, "schedule=cosine", "max_epochs=1", "stop=never", "hydra.run.dir=run")
    short = run_folder.read_result(tmp_path / "run")
    ended = here("resume=run", "max_epochs=2")
    assert ended.returncode == 0, ended.stderr
    assert "The schedule depends on max_epochs" in ended.stdout
    result = run_folder.read_result(tmp_path / "run")
    assert (result["epochs"], result["ended_by"]) == (2, "max_epochs")
    assert result["continued"][0]["test"] == short["test"]
    assert not (tmp_path / "run" / run_folder.PREVIOUS).exists()
    assert "Results are in" in here("resume=run").stdout
    assert run_folder.stored_config(tmp_path / "run")["max_epochs"] == 2


def test_a_run_that_stopped_early_continues_with_more_patience_or_none(here, tmp_path):
    words = [*SMALL, "optim.lr=1e-9", "max_epochs=6"]
    here(*words, "stop.patience=1", "hydra.run.dir=run")
    assert run_folder.read_result(tmp_path / "run")["ended_by"] == "stop"
    assert here("resume=run", "stop.patience=3").returncode == 0
    assert run_folder.read_result(tmp_path / "run")["epochs"] == 4
    assert here("resume=run", "stop=never").returncode == 0
    result = run_folder.read_result(tmp_path / "run")
    assert (result["epochs"], result["ended_by"]) == (6, "max_epochs")
    assert [one["epochs"] for one in result["continued"]] == [2, 4]
    here(*words, "stop=never", "hydra.run.dir=long")
    assert equal(tmp_path / "run", tmp_path / "long")


@pytest.mark.parametrize(
    ("more", "said"),
    [("max_epochs=1", "less than the 2 epochs"), ("seed=3", "seed: 0 -> 3"),
     ("optim.lr=1", "optim.lr"), ("monitor=val/loss", "monitor"), ("max_time=0", "max_time=0")],
)  # fmt: skip
def test_what_changes_the_path_or_lies_behind_is_refused_and_nothing_is_lost(
    more, said, here, tmp_path
):
    here(*SMALL, "max_epochs=2", "stop=never", "hydra.run.dir=run")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.suffix in (".json", ".yaml")}
    ended = here("resume=run", more)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_smaller_patience_than_the_run_has_had_is_refused(here, tmp_path):
    here(*SMALL, "optim.lr=1e-9", "max_epochs=4", "stop.patience=9", "hydra.run.dir=run")
    ended = here("resume=run", "stop.patience=2")
    assert ended.returncode == 2
    assert "would have ended after epoch 3" in ended.stderr
    assert run_folder.read_result(tmp_path / "run")["epochs"] == 4


def test_the_earlier_result_stays_until_there_is_a_new_one(here, tmp_path, monkeypatch):
    here(*SMALL, "max_epochs=2", "stop=never", "hydra.run.dir=run")
    earlier = (tmp_path / "run/result.json").read_text()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dlcourse.engine.run.fit", killed)
        assert here("resume=run", "max_epochs=4").returncode == 130
    assert (tmp_path / "run" / run_folder.PREVIOUS).read_text() == earlier
    assert run_folder.read_result(tmp_path / "run") is None
    assert here("resume=run").returncode == 0
    assert run_folder.read_result(tmp_path / "run")["epochs"] == 4


def test_every_fold_continues_and_shares_the_time(here, tmp_path):
    words = [*SMALL, "split=kfold", "split.folds=2", "stop=never"]
    here(*words, "max_epochs=1", "hydra.run.dir=run")
    assert here("resume=run", "max_epochs=2").returncode == 0
    here(*words, "max_epochs=2", "hydra.run.dir=long")
    for fold in ("fold0", "fold1"):
        assert equal(tmp_path / "run" / fold, tmp_path / "long" / fold)
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert [fold["epochs"] for fold in result["folds"]] == [2, 2]
    here(*words, "max_epochs=9999", "max_time=1s", "hydra.run.dir=timed")
    timed = run_folder.read_result(tmp_path / "timed")
    assert [fold["ended_by"] for fold in timed["folds"]] == ["max_time"] * 2
    assert share_of_time(OmegaConf.create({"max_time": "1m"}), 2) == 30.0


def test_a_job_of_a_sweep_keeps_its_end(here, tmp_path):
    here(*SMALL, "max_epochs=1", "hydra.run.dir=sweep/job")
    (tmp_path / "sweep/sweep.json").write_text("{}")
    ended = here("resume=sweep/job", "max_epochs=2")
    assert ended.returncode == 2
    assert "is a job of a sweep" in ended.stderr
