"""The trackers, each with its real library, offline: what they wrote is read by the library.

One cross-validation, interrupted in its second fold and resumed, serves most tests.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from collections import Counter
from importlib.util import find_spec

import pytest
import torch
from conftest import composed

from dlcourse.core import Observer
from dlcourse.engine.run import run
from dlcourse.observe.mlflow import Mlflow
from dlcourse.tracking.process import started
from dlcourse.tracking.wandb_file import written_records, written_rows
from dlcourse.train.checkpoint import history_of

LIBRARIES = ["wandb", "mlflow", *(["aim"] if find_spec("aim") else [])]
MLFLOW = {"uri": None, "experiment": "dlcourse", "name": None, "weights": False, "patience": 60}


FOLDS = ["split=kfold", "split.folds=2"]


def config_of(folder, *overrides):
    return composed(
        "data.examples=60", "model=mlp", "max_epochs=3",
        f"data.root={folder}/data", "note='first try'", "tags=[baseline]", *overrides,
    )  # fmt: skip


class InterruptsSecondFold(Observer):
    """Raises KeyboardInterrupt after the second epoch of the second fold."""

    def start(self, state, recipe, fold):
        self.fold = fold.name

    def epoch(self, state):
        if self.fold == "fold1" and len(state.history) == 2:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a cross-validation that was interrupted and resumed."""
    base = tmp_path_factory.mktemp("trackers")
    folder = base / "outputs/run"
    config = config_of(base, *FOLDS, f"observe=[{','.join(['plots', *LIBRARIES])}]")
    before = process_settings()
    with pytest.raises(KeyboardInterrupt):
        run(config, folder, observers=[InterruptsSecondFold()])
    run(config, folder)
    assert process_settings() == before
    yield folder
    for process in started().values():
        process.stop()


def process_settings():
    """Return what a library could change in this process, and which libraries it has imported."""
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    libraries = {"wandb", "mlflow", "aim"} & set(sys.modules)
    environment = {key for key in os.environ if key.startswith(("WANDB", "MLFLOW", "AIM", "GIT_"))}
    return handlers, list(logging.root.handlers), sys.excepthook, libraries, environment


def losses(folder):
    """Return the training losses of a fold by epoch, from its checkpoint."""
    return {record.epoch: record.metrics["train/loss"] for record in history_of(folder)}


def test_the_weights_with_and_without_trackers_are_equal(finished, tmp_path):
    run(config_of(tmp_path, *FOLDS, "observe=[]"), tmp_path / "plain")
    for fold in ("fold0", "fold1"):
        with_trackers = torch.load(finished / fold / "checkpoints/best.pt")["model"]
        plain = torch.load(tmp_path / "plain" / fold / "checkpoints/best.pt")["model"]
        assert all(torch.equal(with_trackers[name], plain[name]) for name in plain)
        assert not torch.equal(*(one[next(iter(plain))] for one in (plain, other(finished, fold))))


def other(folder, fold):
    """Return the weights of the other fold, which differ: the control."""
    name = {"fold0": "fold1", "fold1": "fold0"}[fold]
    return torch.load(folder / name / "checkpoints/best.pt")["model"]


def identity(folder, library):
    """Return the id of a run in a tracker."""
    return json.loads((folder / f"{library}.json").read_text())["id"]


def session_files(folder):
    """Return the files of wandb, one for each session of the run."""
    return sorted(folder.glob("wandb/offline-run-*/*.wandb"))


def wandb_records(folder):
    """Return the records of a run's sessions, with the definitions of wandb's own package."""
    from wandb.proto.wandb_internal_pb2 import Record

    for path in session_files(folder):
        for content in written_records(path.read_bytes()):
            record = Record()
            record.ParseFromString(content)
            yield record


def test_wandb_has_each_epoch_of_a_resumed_run_once(finished):
    for fold, sessions in (("fold0", 1), ("fold1", 2)):
        records = list(wandb_records(finished / fold))
        rows = [row for path in session_files(finished / fold) for row in written_rows(path)]
        epochs = [row for row in rows if "train/loss" in row]
        assert {row["epoch"]: row["train/loss"] for row in epochs} == losses(finished / fold)
        assert [row["_step"] for row in epochs] == [1, 2, 3]
        assert any("plots/curves.path" in row for row in rows)
        runs = [one.run for one in records if one.WhichOneof("record_type") == "run"]
        assert len(runs) == sessions
        assert {one.run_id for one in runs} == {
            json.loads((finished / fold / "wandb.json").read_text())["id"]
        }
        assert {one.run_group for one in runs} == {"run"}
        assert {one.display_name for one in runs} == {f"run {fold}"}
        assert (runs[0].notes, list(runs[0].tags)) == ("first try", ["baseline"])
        config = {item.key: json.loads(item.value_json) for item in runs[0].config.update}
        assert (config["optim.lr"], config["max_epochs"]) == (0.001, 3)


def test_wandbs_own_command_finds_the_sessions(finished):
    done = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", "--dry-run", str(finished / "fold1/wandb")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Would sync 2 run(s)" in done.stdout + done.stderr


def mlflow_runs(store):
    """Return a client of a store, and its runs by name."""
    from mlflow import MlflowClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow 3 uses what SQLAlchemy 2.1 deprecates
        client = MlflowClient(f"sqlite:///{store}/mlflow.db")
    experiment = client.get_experiment_by_name("dlcourse")
    return client, {
        one.info.run_name: one for one in client.search_runs([experiment.experiment_id])
    }


def test_mlflow_has_the_folds_below_their_run_and_each_epoch_once(finished):
    client, runs = mlflow_runs(finished.parent)
    assert set(runs) == {"run", "run fold0", "run fold1"}
    for fold in ("fold0", "fold1"):
        found = runs[f"run {fold}"]
        assert found.info.status == "FINISHED"
        assert found.data.tags["mlflow.parentRunId"] == runs["run"].info.run_id
        assert found.data.tags["mlflow.note.content"] == "first try"
        assert found.data.tags["baseline"] == "true"
        assert found.data.params["optim.lr"] == "0.001"
        curve = client.get_metric_history(found.info.run_id, "train/loss")
        assert Counter(one.step for one in curve) == {1: 1, 2: 1, 3: 1}
        assert {one.step: one.value for one in curve} == losses(finished / fold)
        result = json.loads((finished / fold / "result.json").read_text())
        assert found.data.metrics["test/accuracy"] == result["test"]["accuracy"]
        files = client.list_artifacts(found.info.run_id, "plots")
        assert "plots/curves.png" in [one.path for one in files]


def test_mlflow_has_the_mean_of_the_folds_in_their_run(finished):
    client, runs = mlflow_runs(finished.parent)
    result = json.loads((finished / "result.json").read_text())
    assert runs["run"].info.status == "FINISHED"
    assert runs["run"].data.metrics["best/val/accuracy"] == result["best"]
    files = [one.path for one in client.list_artifacts(runs["run"].info.run_id)]
    assert {"run_result.json", "run_config.yaml"} <= set(files)


def test_no_file_of_a_tracker_looks_like_another_run(finished):
    found = [str(path.relative_to(finished)) for path in finished.parent.rglob("result.json")]
    assert sorted(found) == ["fold0/result.json", "fold1/result.json", "result.json"]


def test_aim_has_each_epoch_of_a_resumed_run_once(finished):
    aim = pytest.importorskip("aim", reason="aim is not in the extra dev")
    from aim.sdk.index_manager import RepoIndexManager  # as `aim up` does
    from aim.storage.context import Context

    repo = aim.Repo(str(finished.parent))
    for name in repo.list_all_runs():
        RepoIndexManager.get_index_manager(repo).index(name)
    repo = aim.Repo(str(finished.parent))
    for fold in ("fold0", "fold1"):
        found = repo.get_run(identity(finished / fold, "aim"))
        assert (found.name, found.description) == (f"run {fold}", "first try")
        assert found.tags == ["baseline"]
        assert found["config"]["optim.lr"] == 0.001
        curve = found.get_metric("loss", Context({"subset": "train"}))
        steps = curve.dataframe()[["step", "value"]].to_numpy().tolist()
        assert sorted(steps) == sorted(
            [epoch, loss] for epoch, loss in losses(finished / fold).items()
        )


def test_a_store_that_cannot_be_written_costs_one_warning(tmp_path, caplog):
    (tmp_path / "outputs").write_text("a file, and no folder for the store")
    config = config_of(
        tmp_path, "observe=[mlflow]", f"observe.mlflow.uri=sqlite:///{tmp_path}/outputs/db"
    )
    best = run(config, tmp_path / "run")
    assert best == run(config_of(tmp_path, "observe=[]"), tmp_path / "plain")
    warned = [one.getMessage() for one in caplog.records if "observer mlflow failed" in one.message]
    assert len(warned) == 1


def test_a_trackers_process_that_is_killed_costs_one_warning(tmp_path, caplog):
    class Killer(Observer):
        def epoch(self, state):
            for process in started().values():
                process.process.kill()

    config = config_of(tmp_path, "observe=[mlflow]")
    run(config, tmp_path / "outputs/run", observers=[Killer()])
    warned = [one.getMessage() for one in caplog.records if "observer mlflow failed" in one.message]
    assert len(warned) == 1
    assert "its process has ended with status -9" in warned[0]
    assert (tmp_path / "outputs/run/result.json").exists()


def test_a_tracker_that_takes_too_long_is_ended(tmp_path, caplog):
    observer = Mlflow(tmp_path / "outputs/run", **MLFLOW | {"patience": 0.05})
    (tmp_path / "outputs/run").mkdir(parents=True)
    observer.open([])
    with pytest.raises(Exception, match=r"has not finished within 0\.05 s"):
        observer.close()
