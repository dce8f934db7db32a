"""Observers show the measured values; a resumed run records no epoch twice."""

import json
from types import SimpleNamespace

import pytest
from conftest import options
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dlcourse.core import Record
from dlcourse.engine.run import run
from dlcourse.observe.console import Console
from dlcourse.observe.history import History
from dlcourse.observe.tensorboard import TensorBoard


def test_every_observer_is_tested():
    known = {"aim", "console", "csv", "diagnostics", "history", "mlflow", "plots"}
    known |= {"overfit", "profiler", "tensorboard", "trajectory", "wandb"}
    assert set(options("observe")) == known


def events(folder):
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    reader.Reload()
    return reader


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a finished run with the observers history and tensorboard."""
    from dlcourse.schema.compose import compose_job, without_hydra

    folder = tmp_path_factory.mktemp("watched")
    overrides = [f"data.root={folder}/data", "data.examples=60", "max_epochs=3", "model=mlp"]
    cfg = without_hydra(compose_job([*overrides, "observe=[history,tensorboard]"], None))
    run(cfg, folder / "run")
    return folder / "run"


def test_the_curves_in_tensorboard_equal_the_history(finished):
    reader = events(finished)
    lines = [json.loads(line) for line in (finished / "history.jsonl").read_text().splitlines()]
    for name in ("train/loss", "val/loss", "val/accuracy", "lr", "examples_per_second"):
        curve = reader.Scalars(name)
        assert [event.step for event in curve] == [1, 2, 3]
        assert [event.value for event in curve] == pytest.approx([line[name] for line in lines])


def test_the_test_metrics_and_the_best_value_are_in_tensorboard(finished):
    reader = events(finished)
    result = json.loads((finished / "result.json").read_text())
    (accuracy,) = reader.Scalars("test/accuracy")
    assert accuracy.value == pytest.approx(result["test"]["accuracy"])
    assert accuracy.step == result["best_epoch"]
    assert reader.Scalars("best/val/accuracy")[0].value == pytest.approx(result["best"])


def test_the_hparams_tab_has_the_options_and_the_best_value(finished):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    metadata = events(finished).summary_metadata
    shown = {
        tag: HParamsPluginData.FromString(data.plugin_data.content)
        for tag, data in metadata.items()
        if data.plugin_data.plugin_name == "hparams"
    }
    start = shown["_hparams_/session_start_info"].session_start_info.hparams
    assert start["batch_size"].number_value == 64
    assert start["optim.lr"].number_value == pytest.approx(0.001)
    # a summary of the experiment would make TensorBoard hide the columns that the first run lacks
    assert "_hparams_/experiment" not in shown
    assert "best/val/accuracy" in events(finished).Tags()["scalars"]


def test_the_graph_and_the_confusion_matrix_are_drawn(finished):
    reader = events(finished)
    assert b"Linear" in reader.Graph().SerializeToString()
    (plot,) = reader.Images("test/confusion")
    assert plot.width > 300


def test_every_plot_is_in_tensorboard_under_a_name_that_no_curve_has(tiny, tmp_path):
    metrics = "metric=[accuracy,confusion,average_precision,calibration]"
    run(tiny("model=mlp", metrics, "observe=[tensorboard]", "max_epochs=1"), tmp_path / "run")
    tags = events(tmp_path / "run").Tags()
    names = ("curves", "confusion", "per_class", "precision_recall", "calibration", "mistakes")
    plots = {f"test/{name}" for name in names}
    assert set(tags["images"]) == plots
    assert not plots & set(tags["scalars"])


def test_a_model_that_cannot_be_traced_is_reported_and_training_continues(
    tiny, tmp_path, caplog, monkeypatch
):
    from dlcourse.model.mlp import MLP

    def untraceable(self, inputs):
        if inputs.shape[0] == 1:  # the example for the graph
            raise RuntimeError("data-dependent control flow")
        return self.output(self.hidden(inputs.flatten(1)))

    monkeypatch.setattr(MLP, "forward", untraceable)
    run(tiny("model=mlp", "observe=[tensorboard]"), tmp_path / "run")
    assert "no graph of this model: data-dependent" in caplog.text
    assert (tmp_path / "run/result.json").exists()


class At:
    """A state after the given number of epochs."""

    def __init__(self, epochs):
        self.history = [Record(epoch, {"val/loss": epoch}) for epoch in range(1, epochs + 1)]


def test_an_epoch_written_after_the_last_checkpoint_is_not_recorded_twice(tmp_path):
    first = History(tmp_path)
    first.start(At(0), None, None)
    for epochs in (1, 2, 3):
        first.epoch(At(epochs))
    second = History(tmp_path)
    second.start(At(2), None, None)  # the checkpoint of the third epoch was not written
    second.epoch(At(3))
    lines = [
        json.loads(line)["epoch"] for line in (tmp_path / "history.jsonl").read_text().splitlines()
    ]
    assert lines == [1, 2, 3]


def test_a_resumed_run_replaces_the_curves_of_repeated_epochs(tmp_path):
    for first, last in ((0, 3), (2, 4)):
        board = TensorBoard(tmp_path, embedding=0, pr_classes=0)
        board.start(At(first), SimpleNamespace(monitor="val/loss"), None)
        for epochs in range(first + 1, last + 1):
            board.epoch(At(epochs))
        board.close()
    assert [event.step for event in events(tmp_path).Scalars("val/loss")] == [
        1,
        2,
        3,
        4,
    ]


def test_a_terminal_shows_progress_in_one_line_that_disappears(tmp_path, data_root):
    import os
    import pty
    import subprocess
    import sys

    from conftest import ROOT, TINY

    master, slave = pty.openpty()
    overrides = [override for override in TINY if "observe" not in override]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *overrides, "model=mlp", f"data.root={data_root}"],
        cwd=tmp_path, stdout=slave, stderr=slave, stdin=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "60"},
    )  # fmt: skip
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    process.wait(60)
    os.close(master)
    text = shown.decode().replace("\r\n", "\n")
    assert "\rimporting PyTorch  " in text
    assert "\x1b" not in text, "no control code but the return to the line's beginning"
    printed = [line.rpartition("\r")[2] for line in text.strip().split("\n")]
    assert [line[:9] for line in printed if line.startswith("epoch")] == ["epoch 1/2", "epoch 2/2"]
    assert all(len(line) < 60 for line in printed if line.startswith("epoch"))
    assert "mlp_digits_adam" in printed[-1]


def test_the_live_line_is_a_bar_with_the_time_left(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    console = Console(tmp_path)
    console.recipe = SimpleNamespace(max_epochs=10, monitor="val/loss", mode="min")
    console.start(SimpleNamespace(history=[]), console.recipe, SimpleNamespace(name="."))
    now += 7
    assert console.progress(80) == "epoch  1/10  ────────────────────────  first step 7 s"
    batches = console.watch(range(4), 4)
    assert [next(batches), next(batches)] == [0, 1]
    assert console.progress(80) == "epoch  1/10  ━───────────────────────  5 min left"
    assert console.progress(30) == "epoch  1/10"
    assert list(batches) == [2, 3]
    assert console.progress(80).endswith("validating 7 s")
    console.close()


@pytest.mark.parametrize(("epochs", "label"), [(50, "epoch  3/50"), (9.9, "epoch  3/10")])
def test_a_fractional_last_epoch_counts_as_one(epochs, label, tmp_path):
    console = Console(tmp_path)
    console.recipe = SimpleNamespace(max_epochs=epochs)
    assert console.label(3) == label
