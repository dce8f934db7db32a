"""``runtime=auto`` measures options that change only the speed, and keeps its picks."""

import itertools
import json

import pytest
from conftest import prepared
from torch import nn

from dlcourse.engine import autotune
from dlcourse.engine.autotune import (
    PYTORCH_DEFAULTS,
    USUAL,
    decide,
    options_to_try,
    race,
    settle,
)
from dlcourse.engine.instantiate import build
from dlcourse.engine.run import run
from dlcourse.runs import run_folder

ON_THE_CPU = {"channels_last": True, "linear": "products", "fused_layers": False}
"""The options of a short run; there is none to compile."""
NOTHING_PICKED = ON_THE_CPU | {"channels_last": False}


@pytest.fixture
def small_run(tiny):
    """Return the arguments of ``settle`` for a small run, and its runtime."""
    cfg = tiny("model=lenet", "data.examples=100", "runtime.precision=fp32")
    _, fold, _ = prepared(cfg)
    from dlcourse.engine.datasets import load_data

    return cfg, build(cfg["runtime"])(), load_data(cfg), fold


def test_a_short_run_uses_the_usual_options_without_measuring(small_run, tmp_path, capsys):
    runtime = settle(*small_run, tmp_path)
    assert {name: getattr(runtime, name) for name in ON_THE_CPU} == ON_THE_CPU
    stored = json.loads((tmp_path / "runtime.json").read_text())
    assert stored == {"picked": ON_THE_CPU, "measured": {}}
    assert capsys.readouterr().out == ""


def test_a_small_run_is_not_measured_however_slow_the_machine_is(small_run, tmp_path, monkeypatch):
    cfg, *arguments = small_run
    cfg["max_epochs"] = 500
    monkeypatch.setattr(autotune, "MIN_SECONDS", 0)  # as on a very slow machine
    monkeypatch.setattr(autotune, "fastest_options", None)
    settle(cfg, *arguments, tmp_path)
    assert run_folder.read_picks(tmp_path) == {"picked": ON_THE_CPU, "measured": {}}
    assert autotune.MIN_EXAMPLES > 1797 * 500, "the digits are a small run"


def test_a_long_run_keeps_the_options_measured_as_faster(small_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(autotune.fused_layers, "can_fuse_layers", lambda model: True)
    gains = iter([1.5, 0.4, 1.2])
    race = lambda now, then, seconds: (now(), then(), [next(gains)])[2]  # noqa: E731
    monkeypatch.setattr(autotune, "race", race)
    monkeypatch.setattr(autotune, "MIN_EXAMPLES", 0)
    monkeypatch.setattr(autotune, "MIN_SECONDS", 0)
    settle(*small_run, tmp_path)
    picks = {"channels_last": True, "linear": "products", "fused_layers": True}
    measured = {"channels_last=true": 1.5, "linear=onednn": 0.4, "fused_layers=true": 1.2}
    assert run_folder.read_picks(tmp_path) == {"picked": picks, "measured": measured}
    line = capsys.readouterr().out
    assert "channels_last=true linear=products fused_layers=true" in line
    assert "channels_last=true 1.50x, linear=onednn 0.40x, fused_layers=true 1.20x" in line


def test_fused_layers_are_not_tried_in_another_memory_order(small_run, tmp_path, monkeypatch):
    monkeypatch.setattr(autotune.fused_layers, "can_fuse_layers", lambda model: True)
    monkeypatch.setattr(autotune, "race", lambda now, then, seconds: [0.9])
    monkeypatch.setattr(autotune, "MIN_EXAMPLES", 0)
    monkeypatch.setattr(autotune, "MIN_SECONDS", 0)
    settle(*small_run, tmp_path)
    found = run_folder.read_picks(tmp_path)
    assert found["picked"] == NOTHING_PICKED
    assert found["measured"].keys() == {"channels_last=true", "linear=onednn"}


def test_a_resumed_run_keeps_its_picks(small_run, tmp_path, monkeypatch):
    picks = {"channels_last": False, "linear": "convolution", "fused_layers": True}
    run_folder.write_picks(tmp_path, {"picked": picks, "measured": {}})
    monkeypatch.setattr(autotune, "fastest_options", None)
    runtime = settle(*small_run, tmp_path)
    assert runtime.channels_last is False
    assert runtime.linear == "convolution"
    assert runtime.fused_layers is True
    assert small_run[1].linear == "auto", "the runtime that was passed has changed"


def test_plain_picks_nothing_and_writes_nothing(compose, tmp_path):
    overrides = ["data.examples=60", "max_epochs=1", "observe=[]", "runtime=plain"]
    run(compose(*overrides, "runtime.device=cpu"), tmp_path / "run")
    assert not (tmp_path / "run/runtime.json").exists()


def test_measuring_does_not_change_the_training(tiny, tmp_path, monkeypatch):
    cfg = tiny("model=lenet", "model.dropout=0.3", "data.examples=100")
    run(cfg, tmp_path / "usual")
    monkeypatch.setattr(autotune, "MIN_EXAMPLES", 0)
    monkeypatch.setattr(autotune, "MIN_SECONDS", 0)
    monkeypatch.setattr(autotune, "race", lambda now, then, seconds: (then(), [2.0])[1])
    monkeypatch.setattr(autotune, "options_to_try", lambda *_: [("channels_last", True)])
    run(cfg, tmp_path / "tried")
    assert run_folder.read_picks(tmp_path / "tried")["measured"]
    one, other = (run_folder.read_result(tmp_path / name) for name in ("usual", "tried"))
    assert one["test"] == other["test"]
    assert one["best"] == other["best"]


def test_only_options_that_the_model_can_use_are_measured():
    assert options_to_try(list(USUAL), (3, 8, 8), nn.Sequential(nn.Conv2d(3, 3, 1))) == [
        ("channels_last", True)
    ]
    large, small = nn.Sequential(nn.Linear(500, 200)), nn.Sequential(nn.Linear(5, 2))
    assert options_to_try(list(USUAL), (500,), large) == [("linear", "onednn")]
    assert options_to_try(list(USUAL), (5,), small) == []
    assert options_to_try(["linear"], (5,), nn.Sequential(nn.Conv1d(5, 2, 1))) == []


def test_a_race_returns_the_ratios_of_the_times():
    steps = iter([9.0, 0.1, 0.2, 0.3])  # the first one of each is not counted
    assert race(lambda: 0.3, lambda: next(steps), 1.0) == pytest.approx([1, 1.5, 3])
    assert len(race(lambda: 0.3, lambda: 0.1, 2.0)) == 5


@pytest.mark.parametrize(
    ("ratios", "kept"), [([0.9, 1.2, 1.3, 1.4, 1.5], True), ([0.9, 1.2, 1.3], False)]
)
def test_a_gain_that_may_be_chance_is_not_kept(ratios, kept, small_run, tmp_path, monkeypatch):
    monkeypatch.setattr(autotune, "race", lambda now, then, seconds: ratios)
    monkeypatch.setattr(autotune.fused_layers, "can_fuse_layers", lambda model: False)
    monkeypatch.setattr(autotune, "MIN_EXAMPLES", 0)
    monkeypatch.setattr(autotune, "MIN_SECONDS", 0)
    settle(*small_run, tmp_path)
    picked = NOTHING_PICKED | ({"channels_last": True, "linear": "onednn"} if kept else {})
    assert run_folder.read_picks(tmp_path)["picked"] == picked


def test_the_runtime_applies_its_picks(compose):
    runtime = build(compose("runtime=cpu")["runtime"])()
    picked = runtime.with_picks({"linear": "convolution"})
    model = picked.place(nn.Sequential(nn.Linear(4, 2)), (4,))
    assert type(model[0]).__name__ == "LinearByConvolution"
    unpicked = runtime.place(nn.Sequential(nn.Linear(4, 2)), (4,))
    assert type(unpicked[0]) is nn.Linear
    unpicked = runtime.place(nn.Sequential(nn.Linear(4, 2)), (4,))
    assert type(unpicked[0]) is nn.Linear


def test_every_option_has_a_usual_value_and_pytorchs():
    assert PYTORCH_DEFAULTS.keys() == USUAL.keys()


@pytest.fixture
def like_cuda(small_run, monkeypatch):
    """Return the arguments of ``decide`` for a long run that may compile, as it is on CUDA.

    A step is timed by a clock that the test sets for each choice of options.
    """
    cfg, runtime, dataset, fold = small_run
    runtime.compile = "auto"
    monkeypatch.setattr(autotune, "MIN_EXAMPLES", 0)
    monkeypatch.setattr(autotune, "MIN_SECONDS", 0)
    monkeypatch.setattr(autotune, "COMPILE_FROM", 0)
    monkeypatch.setattr("dlcourse.runtime.compile_for_training", lambda model: None)
    return cfg, runtime, dataset, fold


@pytest.mark.parametrize(("steps", "kept"), [(1000, True), (1, False)])
def test_compiling_is_chosen_if_the_run_gains_more_than_it_costs(
    steps, kept, like_cuda, monkeypatch, capsys
):
    clock = itertools.count()  # a step takes one second, and compiling one
    monkeypatch.setattr(autotune, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(autotune, "race", lambda now, then, seconds: [1.5])
    monkeypatch.setattr(autotune, "all_steps", lambda *_: steps)
    found = decide(*like_cuda)
    assert found["picked"]["compile"] is kept
    assert "compile=true 1.50x" in capsys.readouterr().out


def test_a_model_that_cannot_be_compiled_is_trained_without(like_cuda, monkeypatch):
    def fail(model):
        raise RuntimeError("no compiler")

    monkeypatch.setattr("dlcourse.runtime.compile_for_training", fail)
    monkeypatch.setattr(autotune, "race", lambda now, then, seconds: [1.5])
    found = decide(*like_cuda)
    assert found["picked"]["compile"] is False
    assert "compile=true" not in found["measured"]


def test_compiling_is_tried_last_and_only_in_long_runs():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Linear(500, 200))
    tried = lambda seconds: options_to_try(list(USUAL), (3, 8, 8), model, "cuda", seconds)  # noqa: E731
    assert tried(299) == [("channels_last", True)]
    assert tried(300) == [("channels_last", True), ("compile", True)]


def test_a_run_on_the_cpu_leaves_no_option_to_compile(compose):
    assert build(compose("runtime=cpu")["runtime"])().compile is False
    assert build(compose("runtime=cpu", "runtime.compile=true")["runtime"])().compiles
