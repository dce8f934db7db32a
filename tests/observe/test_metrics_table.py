"""The observer csv: a table that pandas reads, with each epoch once and stable columns."""

import math
from types import SimpleNamespace

import pandas as pd

from dlcourse.core import Record
from dlcourse.engine.run import run
from dlcourse.observe.csv import Csv
from dlcourse.train.checkpoint import history_of


def state(*metrics):
    """Return a state whose history has these metrics, one dict per epoch."""
    return SimpleNamespace(history=[Record(n, one) for n, one in enumerate(metrics, 1)])


def observe(folder, *metrics, resumed=0):
    """Let the observer see a run with these metrics, resumed after a number of epochs."""
    observer = Csv(folder)
    observer.start(state(*metrics[:resumed]), None, None)
    for epochs in range(resumed + 1, len(metrics) + 1):
        observer.epoch(state(*metrics[:epochs]))
    return folder / "metrics.csv"


def test_a_metric_that_appears_later_gets_a_column_at_the_end(tmp_path):
    path = observe(tmp_path, {"b": 0.1, "a": 2.0}, {"a": 3.0, "c": 4.0}, {"b": 1e-9, "a": math.inf})
    assert path.read_text() == "epoch,b,a,c\n1,0.1,2.0,\n2,,3.0,4.0\n3,1e-09,inf,\n"


def test_an_undefined_metric_is_an_empty_cell(tmp_path):
    path = observe(tmp_path, {"val/f1": math.nan, "lr": 1.0})
    assert path.read_text() == "epoch,val/f1,lr\n1,,1.0\n"
    assert math.isnan(pd.read_csv(path)["val/f1"][0])


def test_a_resumed_run_has_each_epoch_once(tmp_path):
    metrics = [{"loss": 1 / epoch} for epoch in range(1, 6)]
    path = observe(tmp_path, *metrics[:4])  # epoch 4 is not in the checkpoint
    path.write_text(path.read_text() + "5,0.")  # a line that a killed run left incomplete
    observe(tmp_path, *metrics, resumed=3)
    table = pd.read_csv(path, dtype=str).astype(float)
    assert list(table["epoch"]) == [1, 2, 3, 4, 5]
    assert list(table["loss"]) == [one["loss"] for one in metrics]


def test_each_fold_of_a_run_has_a_table_that_equals_its_history(compose, tmp_path):
    config = compose(
        "data.examples=60", "model=mlp", "max_epochs=2", "split=kfold", "split.folds=2",
        "observe=[csv]", f"data.root={tmp_path}/data",
    )  # fmt: skip
    run(config, tmp_path / "run")
    for fold in ("fold0", "fold1"):
        table = pd.read_csv(tmp_path / "run" / fold / "metrics.csv", dtype=str).astype(float)
        rows = [record.metrics for record in history_of(tmp_path / "run" / fold)]
        assert table.drop(columns="epoch").to_dict("records") == rows
