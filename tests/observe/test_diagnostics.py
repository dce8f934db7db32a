"""Diagnostics measure the network and change nothing of the training, to the last bit."""

import json
import random

import numpy as np
import pytest
import torch
from conftest import prepared, same
from torch import nn

from dlcourse.core import Observer
from dlcourse.engine.instantiate import build
from dlcourse.observe.guarded import Guarded
from dlcourse.observe.measurements import read_measurements
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit
from dlcourse.train.midway import Every

EVERYTHING = (
    "observe=[diagnostics]",
    "observe.diagnostics.measure=[gradients,updates,activations,spectrum,sharpness]",
    "observe.diagnostics.histograms=true",
    "observe.diagnostics.every=2",
    "observe.diagnostics.examples=16",
)
BASE = ("batch_size=16", "model.dropout=0.3", "augment=[noise]")
TIMES = ("seconds", "examples_per_second")
MLP = ("model=mlp", "model.widths=[8,6]")
CASES = {
    "batch norm": (*MLP, "model.norm=batch"),
    "lenet": ("model=lenet", "model.pool=stochastic"),
    "sam": (*MLP, "optim=sam"),
    "lbfgs": (*MLP, "optim=lbfgs", "batch_size=full", "augment=[]", "model.dropout=0"),
    "average": (*MLP, "average=ema", "optim=momentum"),
    "frozen": (*MLP, "optim.freeze=[hidden.0.*]"),
    "bf16": (*MLP, "runtime.precision=bf16"),
    "fp64": (*MLP, "runtime.precision=fp64"),
    "rnn": ("model=rnn", "model.hidden=8"),
    "vit": ("model=vit", "model.width=16", "model.depth=1", "model.heads=2", "model.patch=14"),
    "cascade": ("model=cascade", "model.units=2", "model.candidates=2", "batch_size=full",
                "model.candidate_steps=3", "model.output_steps=3", "augment=[]"),
    "closed form": ("model=linear", "optim=closed_form", "batch_size=full", "augment=[]"),
    "mixup": (*MLP, "augment=[mixup]"),
    "perceptron": ("model=perceptron", "data=gates", "augment=[]", "batch_size=1"),
    "regression": ("data=sine", "data.train_examples=40", *MLP, "augment=[]"),
}  # fmt: skip


def without(overrides, *keys):
    return [one for one in overrides if not one.startswith(keys)]


def config(tiny, case, *more):
    """Return a config of two epochs with every measurement."""
    base = BASE if "model.dropout" not in " ".join(case) else without(BASE, "model.dropout")
    if not any(one in ("model=mlp", "model=lenet", "model=rnn", "model=vit") for one in case):
        base = without(base, "model.dropout")
    if any(one.startswith("data=") for one in case):
        return tiny(*base, *case, *EVERYTHING, "data.examples=null", *more)
    return tiny(*base, *case, *EVERYTHING, *more)


def diagnostics(cfg, folder):
    return build(cfg["observe"]["diagnostics"])(folder)


def history(state):
    return [{k: v for k, v in record.metrics.items() if k not in TIMES} for record in state.history]


def drawn():
    """Return the next random numbers of all generators."""
    return float(torch.rand(())), float(np.random.rand()), random.random()


@pytest.mark.parametrize("name", CASES)
def test_training_with_diagnostics_equals_training_without_to_the_last_bit(name, tiny, tmp_path):
    cfg = config(tiny, CASES[name])
    state, fold, recipe = prepared(cfg)
    plain = fit(state, fold, recipe)
    after = drawn()
    state, fold, recipe = prepared(cfg)
    measured = fit(state, fold, recipe, [diagnostics(cfg, tmp_path)])
    assert same(plain.model, measured.model)
    assert same(plain.averaged, measured.averaged)
    for mine, other in zip(plain.model.buffers(), measured.model.buffers(), strict=True):
        assert torch.equal(mine, other)
    assert history(plain) == history(measured)
    assert drawn() == after
    lines = read_measurements(tmp_path)
    steps = [line for line in lines if "step" in line]
    assert steps
    assert all(line["layers"] for line in steps)
    assert [len(line["losses"]) for line in lines if "losses" in line]


class Disturbing(Observer):
    """Draws a random number before every step."""

    def watch(self, batches, count):
        for batch in batches:
            torch.rand(())
            yield batch


def test_the_comparison_detects_one_random_number_that_was_drawn(tiny):
    cfg = config(tiny, MLP)
    plain = fit(*prepared(cfg))
    assert not same(plain.model, fit(*prepared(cfg), [Disturbing()]).model)


class Killed(Exception):
    pass


class Killer(Checkpoint):
    """Raises at a checkpoint within an epoch, as if the run was killed."""

    def midway(self, state):
        super().midway(state)
        if len(state.history) == 1 and state.midway["step"] == 2:
            raise Killed


@pytest.mark.parametrize("killed", ["after an epoch", "within an epoch"])
def test_a_resumed_run_has_the_weights_and_the_measurements_of_an_uninterrupted_one(
    killed, tiny, tmp_path
):
    cfg = config(tiny, MLP, "max_epochs=3", "model.norm=batch")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    state, fold, recipe = prepared(cfg)
    uninterrupted = fit(state, fold, recipe, [Checkpoint(whole, Every(2)), diagnostics(cfg, whole)])
    state, fold, recipe = prepared(cfg)
    if killed == "within an epoch":
        with pytest.raises(Killed):
            fit(state, fold, recipe, [Killer(parts, Every(2)), diagnostics(cfg, parts)])
    else:
        observers = [Checkpoint(parts), diagnostics(cfg, parts)]
        fit(state, fold, recipe.__class__(**{**vars(recipe), "max_epochs": 2}), observers)
        with open(parts / "diagnostics.jsonl", "a") as file:
            file.write('{"step": 7, "epoch": 2.3333, "layers": {}}\n{"step": 8, "la')
    torch.manual_seed(999)
    state, fold, recipe = prepared(cfg)
    observers = [Checkpoint(parts, Every(2)), diagnostics(cfg, parts)]
    resumed = fit(restore(state, parts), fold, recipe, observers)
    assert same(uninterrupted.model, resumed.model)
    assert history(uninterrupted) == history(resumed)
    lines = {
        folder: [strip_update(line) for line in read_measurements(folder)]
        for folder in (whole, parts)
    }
    assert lines[whole] == lines[parts]


def strip_update(line):
    """Return a line without update ratios: the first one after a resume has none."""
    for values in line.get("layers", {}).values():
        values.pop("update", None)
    return line


def test_the_losses_of_the_steps_have_the_mean_of_the_history(tiny, tmp_path):
    cfg = config(tiny, MLP, "schedule=cosine")
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe, [diagnostics(cfg, tmp_path)])
    lines = [line for line in read_measurements(tmp_path) if "losses" in line]
    sizes = [16, 16, 16]
    for record, line in zip(state.history, lines, strict=True):
        assert line["epoch"] == record.epoch
        mean = np.average(line["losses"], weights=sizes)
        assert mean == pytest.approx(record.metrics["train/loss"], rel=1e-5)
        assert line["rates"][0] == pytest.approx(record.metrics["lr"], rel=1e-5)
    assert lines[0]["rates"][1] < lines[0]["rates"][0]


def test_the_interval_counts_steps_or_epochs_and_starts_before_the_first_step(tiny, tmp_path):
    found = {}
    for every in ("2", "1epoch", "2epochs", "0.34epoch"):
        cfg = config(tiny, MLP, f"observe.diagnostics.every={every}", "max_epochs=4")
        state, fold, recipe = prepared(cfg)
        folder = tmp_path / every
        folder.mkdir()
        fit(state, fold, recipe, [diagnostics(cfg, folder)])
        found[every] = [line["step"] for line in read_measurements(folder) if "step" in line]
    assert found == {
        "2": [0, 2, 4, 6, 8, 10, 12],
        "1epoch": [0, 3, 6, 9, 12],
        "2epochs": [0, 6, 12],
        "0.34epoch": list(range(13)),
    }


def test_a_measurement_that_fails_drops_the_observer_and_leaves_the_training_as_it_was(
    tiny, tmp_path, monkeypatch, caplog
):
    cfg = config(tiny, MLP, "model.norm=batch")
    plain = fit(*prepared(cfg))

    def fails(*_):
        torch.rand(())
        raise RuntimeError("no such number")

    monkeypatch.setattr("dlcourse.introspect.diagnose.activation_values", fails)
    observer = Guarded("diagnostics", build(cfg["observe"]["diagnostics"]), tmp_path)
    assert same(plain.model, fit(*prepared(cfg), [observer]).model)
    assert "diagnostics failed, and the run continues without it" in caplog.text


def test_a_compiled_model_is_measured_layer_by_layer(tiny, tmp_path):
    cfg = config(tiny, MLP)
    state, fold, recipe = prepared(cfg)
    state.model._compiled_call_impl = lambda *inputs: nn.Module._call_impl(state.model, *inputs)
    kept = state.model._compiled_call_impl
    fit(state, fold, recipe, [diagnostics(cfg, tmp_path)])
    assert state.model._compiled_call_impl is kept
    (first, *_) = read_measurements(tmp_path)
    assert first["layers"]["hidden.0"]["spread"] > 0


def test_every_line_is_json_without_nan(tiny, tmp_path):
    cfg = config(tiny, MLP, "init=zeros")
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe, [diagnostics(cfg, tmp_path)])
    lines = (tmp_path / "diagnostics.jsonl").read_text().splitlines()
    constants: list[str] = []
    found = [json.loads(line, parse_constant=constants.append) for line in lines]
    assert constants == []
    assert any("layers" in line for line in found)
    assert any("losses" in line for line in found)
