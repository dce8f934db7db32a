"""The output of a run on the terminal."""

import re
from time import sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.engine.run import run
from dlcourse.observe import console as module
from dlcourse.observe.epoch_line import epoch_line, number
from dlcourse.terminal import live_line
from dlcourse.terminal.live_line import cells, duration

METRICS = {
    "train/loss": 0.0458, "train/accuracy": 0.98742, "val/loss": 0.0993, "val/accuracy": 0.9652,
    "val/f1": 0.9, "lr": 0.1, "seconds": 1.0,
}  # fmt: skip


def line(width, monitor="val/accuracy", **more):
    return epoch_line("epoch 12/50", METRICS, monitor, best=True, width=width, **more)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, "epoch 12/50  val accuracy 0.9652 *"),
        (60, "epoch 12/50  train acc 0.9874  val loss 0.0993 acc 0.9652 *"),
        (80, "epoch 12/50  train loss 0.0458 acc 0.9874  val loss 0.0993 acc 0.9652 *"),
        (90, "epoch 12/50  train loss 0.0458 accuracy 0.9874  val loss 0.0993 accuracy 0.9652 *"),
        (
            120,
            "epoch 12/50  train loss 0.0458 accuracy 0.9874  val loss 0.0993 accuracy 0.9652 *"
            "  9 examples/s",
        ),
    ],
)
def test_a_line_is_shortened_by_its_least_important_parts(width, shown):
    assert line(width, more=["9 examples/s"]) == shown


@pytest.mark.parametrize(
    ("monitor", "shown"),
    [
        ("val/f1", "train loss 0.0458 accuracy 0.9874  val loss 0.0993 f1 0.9000 *"),
        ("val/loss", "train loss 0.0458 accuracy 0.9874  val loss 0.0993 accuracy 0.9652 *"),
        ("train/loss", "train loss 0.0458 accuracy 0.9874  val accuracy 0.9652 *"),
    ],
)
def test_the_monitored_metric_is_shown_with_a_training_metric(monitor, shown):
    assert line(100, monitor).endswith(shown)


def test_a_run_without_validation_shows_its_training_metrics():
    own = {"train/loss": 1.0, "train/rmse": 2.0}
    shown = epoch_line("epoch 1/2", own, "train/loss", best=False, width=80)
    assert shown == "epoch 1/2  train loss 1.0000 rmse 2.0000"


values = st.floats(allow_nan=True, allow_infinity=True)


@given(
    metrics=st.dictionaries(
        st.sampled_from(["train/loss", "train/rmse", "val/loss", "val/r2", "val/猫の精度"]), values
    ),
    monitor=st.sampled_from(["val/loss", "val/猫の精度", "train/loss"]),
    width=st.integers(10, 200),
    best=st.booleans(),
)
def test_every_line_is_narrower_than_the_terminal(metrics, monitor, width, best):
    metrics[monitor] = 0.5
    shown = epoch_line("epoch 7/9", metrics, monitor, best=best, width=width, more=["1,000 e/s"])
    assert cells(shown) < width
    assert "\n" not in shown
    if width > 40:
        assert "0.5000" in shown
        assert shown.startswith("epoch 7/9  ")


@given(values)
def test_a_number_takes_six_to_eight_columns(value):
    assert 6 <= len(number(value)) <= 8
    if 1e-4 < abs(value) < 1e5:
        assert float(number(value)) == pytest.approx(value, rel=0.5 if abs(value) < 1e-2 else 1e-2)


def shown_by(tiny, tmp_path, monkeypatch, capsys, *overrides):
    """Run with the console; return the lines of the screen, and those in the log."""
    logged = []
    monkeypatch.setattr(module.log, "info", lambda text, *args: logged.append(text % args))
    run(tiny("model=mlp", "observe=[console]", "stop=never", *overrides), tmp_path / "run")
    return capsys.readouterr().out.splitlines(), logged


def test_a_run_prints_its_setup_a_line_per_epoch_and_its_result(
    tiny, tmp_path, monkeypatch, capsys
):
    lines, logged = shown_by(tiny, tmp_path, monkeypatch, capsys, "max_epochs=3")
    assert [line.split()[0] for line in lines] == [
        "model", "data", "optim", "device", "folder", *["epoch"] * 3, "best", "test"
    ]  # fmt: skip
    assert re.search(r" [\d,]+ parameters$", lines[0])
    assert re.search(r": [\d,]+ train, [\d,]+ val, [\d,]+ test$", lines[1])
    assert re.search(r"^epoch 1/3  train loss \S+ accuracy \S+  val loss \S+ accuracy ", lines[5])
    assert re.search(r" \*  [\d,]+ examples/s  \d+ s left$", lines[5]), "the first is the best"
    assert [line for line in logged if line.startswith("epoch")] == lines[5:8]


def test_each_fold_has_a_heading_and_the_setup_is_printed_once(tiny, tmp_path, monkeypatch, capsys):
    overrides = ["max_epochs=1", "split=kfold", "split.folds=2"]
    lines, _ = shown_by(tiny, tmp_path, monkeypatch, capsys, *overrides)
    assert sum(line.startswith("model") for line in lines) == 1
    assert [line for line in lines if line.startswith("fold") and "(fold" in line] == [
        line for line in lines if re.match(r"fold\d \(fold \d/2\): \d+ train, \d+ val", line)
    ]
    assert sum(line.startswith("epoch 1/1") for line in lines) == 2


def test_many_short_epochs_print_few_lines_and_log_all(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "EVERY_EPOCH_UP_TO", 5)
    monkeypatch.setattr(module, "PRINT_INTERVAL", 1000.0)
    lines, logged = shown_by(tiny, tmp_path, monkeypatch, capsys, "max_epochs=8")
    assert [line[:9] for line in lines if line.startswith("epoch")] == ["epoch 1/8", "epoch 8/8"]
    assert sum(line.startswith("epoch") for line in logged) == 8
    assert any(line.startswith("best epoch") for line in lines)


def test_early_stopping_is_printed_with_its_reason(tiny, tmp_path, monkeypatch, capsys):
    overrides = ["stop=patience", "stop.patience=1", "stop.min_delta=1", "max_epochs=9"]
    lines, _ = shown_by(tiny, tmp_path, monkeypatch, capsys, *overrides)
    assert [line for line in lines if line.startswith("stopped")] == [
        "stopped early: no improvement for 1 epoch"
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (5940, "99 min"),
        (6000, "1 h 40 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_a_duration_is_printed_in_seconds_minutes_or_hours(seconds, text):
    assert duration(seconds) == text


def test_long_work_is_reported_once_without_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(live_line, "SECONDS_BEFORE_LINE", 0.01)
    with live_line.working("solving", 10) as advance:
        advance(3)
        sleep(0.1)
    assert capsys.readouterr().err == "solving ...\n"
    monkeypatch.setattr(live_line, "SECONDS_BEFORE_LINE", 10.0)
    with live_line.working("solving"):
        pass
    assert capsys.readouterr().err == ""


def test_the_end_of_a_run_by_max_time_or_early_stopping_is_printed(tmp_path, capsys):
    from types import SimpleNamespace

    shown = module.Console(tmp_path)
    shown.recipe = SimpleNamespace(max_epochs=50, stop=max)
    shown.printed = 3
    result = {"monitor": "val/accuracy", "best": 0.5, "best_epoch": 2, "test": {"loss": 1.0}}
    for ended_by in ("max_time", "stop"):
        state = SimpleNamespace(history=[SimpleNamespace(epoch=3)])
        shown.finish(state, result | {"ended_by": ended_by})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ended by max_time, after epoch 3 of 50"
    assert lines[3] == "stopped early: no improvement for 1 epoch"
