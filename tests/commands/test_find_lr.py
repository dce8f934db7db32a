"""The learning-rate range test: real steps, a stop when it diverges, and nothing left behind."""

import csv
import json
import math
import random
import sys

import numpy as np
import pytest
import torch
from conftest import prepared, same

from dlcourse.commands import find_lr
from dlcourse.commands.main import run_command
from dlcourse.preview.suggested_rate import suggested_rates
from dlcourse.train.fit import fit
from dlcourse.train.range_test import range_test

SMALL = ["data.examples=60", "batch_size=16", "runtime=cpu"]


@pytest.fixture
def found(tmp_path, data_root, monkeypatch, capsys):
    """Return a function that runs ``dlcourse find-lr`` and returns its text, numbers and steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_root))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dlcourse find-lr", *arguments])
        run_command("find-lr")
        folder = max((tmp_path / "outputs/find_lr").iterdir())
        names = {path.name for path in folder.iterdir()}
        assert names == {f"find_lr.{kind}" for kind in ("png", "svg", "csv", "json")}
        with open(folder / "find_lr.csv") as file:
            rows = list(csv.DictReader(file))
        numbers = json.loads((folder / "find_lr.json").read_text())
        return capsys.readouterr().out, numbers, rows

    return run


def test_the_test_prints_a_command_with_a_rate_and_leaves_no_run(found, tmp_path):
    text, numbers, rows = found("model=mlp", "optim=sgd", "optim.lr=0.01", "steps=60", *SMALL)
    assert 0.001 < numbers["falls_fastest"] < 3
    assert numbers["smallest_by_10"] == pytest.approx(numbers["smallest"] / 10)
    command = f"model=mlp optim=sgd {' '.join(SMALL)} optim.lr={numbers['falls_fastest']:.2g}"
    assert command in text
    rates = [float(row["lr"]) for row in rows]
    assert rates[0] == 1e-5
    assert np.diff(np.log(rates)) == pytest.approx(np.log(1e6) / 59)
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["find_lr"]


def test_the_same_seed_gives_the_same_losses_and_another_seed_others(compose):
    def losses(seed):
        config = compose("augment=[noise]", "model.dropout=0.5", f"seed={seed}", *SMALL)
        return find_lr.losses_of(config, [1e-4] * 8)

    assert losses(1) == losses(1) != losses(2)


def test_a_training_after_the_test_is_unchanged_to_the_last_bit(compose):
    config = compose("model.dropout=0.5", "augment=[noise]", "max_epochs=2", *SMALL)
    first, *_ = prepared(config)
    drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    find_lr.losses_of(config, [1e-3, 1, 1000])
    assert torch.equal(drawn[0], torch.get_rng_state())
    assert drawn[1:] == (random.getstate(), np.random.get_state()[1].tolist())
    state, fold, recipe = prepared(config)
    assert same(first.model, state.model)
    fit(state, fold, recipe)
    again, *rest = prepared(config)
    fit(again, *rest)
    assert same(again.model, state.model)


@pytest.mark.parametrize(
    "options",
    [
        ["optim=momentum", "clip=norm", "augment=[noise]", "model.dropout=0.2"],
        ["optim=muon", "regularizer=[l2,max_norm]", "model=mlp"],
        ["optim=sam"],
        ["optim=gd", "batch_size=full", "model=linear", "average=lookahead"],
    ],
)
def test_at_a_constant_rate_the_steps_are_those_of_training(options, compose):
    config = compose(*SMALL, "max_epochs=2", *options)
    first, fold, recipe = prepared(config)
    fit(first, fold, recipe)
    second, fold, recipe = prepared(config)
    steps = 2 * math.ceil(len(fold.train) / recipe.batch_size)
    range_test(second, fold, recipe, [1.0] * steps)
    assert same(first.model, second.model)


def test_on_a_quadratic_the_losses_are_those_of_numpy_and_diverge_near_two_over_the_curvature(
    compose,
):
    options = ["data=linear", "model=linear", "optim=gd", "init=zeros", "optim.lr=1"]
    state, fold, recipe = prepared(compose(*options, "runtime.precision=fp64"))
    inputs = fold.standardize(fold.train.inputs).double().numpy()
    rows = np.hstack([inputs, np.ones((len(inputs), 1))])
    targets = fold.train.targets.double().numpy()
    curvature = np.linalg.eigvalsh(2 / len(rows) * rows.T @ rows).max()
    rates = np.geomspace(1.4 / curvature, 20 / curvature, 60)
    weights, expected = np.zeros((rows.shape[1], 1)), []
    for rate in rates:
        errors = rows @ weights - targets
        expected.append((errors**2).mean())
        weights = weights - rate * 2 / len(rows) * rows.T @ errors
    losses = range_test(state, fold, recipe, rates)
    assert losses == pytest.approx(expected[: len(losses)], rel=1e-6)
    lowest = rates[int(np.argmin(losses))]
    assert lowest == pytest.approx(2 / curvature, rel=0.1)
    assert len(losses) < len(rates)
    assert 2 / curvature < rates[len(losses) - 1] < 8 / curvature


def test_the_test_ends_at_a_loss_that_is_not_finite(compose):
    config = compose("model=linear", "loss=mse", "optim=sgd", *SMALL)
    losses = find_lr.losses_of(config, [1e30] * 20)
    assert len(losses) < 20
    assert not math.isfinite(losses[-1])


def test_the_suggestion_is_the_steepest_fall_and_a_tenth_of_the_minimum():
    rates = np.geomspace(1e-5, 10, 301)
    logs = np.log10(rates)
    losses = 2 - np.tanh(2 * (logs + 2.5)) + np.where(logs > -0.5, 4 * (logs + 0.5), 0)
    found = suggested_rates(list(rates), list(losses), 301)
    assert np.log10(found.steepest) == pytest.approx(-2.5, abs=0.1)
    assert np.log10(found.lowest) == pytest.approx(-0.5, abs=0.5)
    assert found.tenth == found.lowest / 10
    flat = suggested_rates(list(rates), [2.0] * 301, 301)
    assert flat.steepest is flat.lowest is flat.tenth is None
    falling = suggested_rates(list(rates), list(-logs), 301)
    assert not falling.growing


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["optim=lbfgs", "model=linear", "batch_size=full"], "optim=lbfgs finds the length"),
        (["optim=closed_form", "model=linear", "batch_size=full"], "optim=closed_form finds"),
        (["data=spirals", "model=cascade"], "model=cascade finds the length"),
        (["lr_min=1", "lr_max=0.1"], "lr_min=1 is not below lr_max=0.1"),
        (["lr_min=0"], "lr_min=0 is not allowed"),
        (["steps=3"], "steps=3 is not allowed"),
        (["lr_mn=3"], "did you mean lr_min"),
        (["optim.lr=1,2"], "has several values"),
    ],
)
def test_what_has_no_rate_and_wrong_options_get_one_message(options, named, found, capsys):
    with pytest.raises(SystemExit) as ended:
        found(*options)
    assert ended.value.code == 2
    assert named in capsys.readouterr().err


def test_a_loss_that_does_not_fall_gets_no_suggestion(found):
    text, numbers, _ = found("model=mlp", "lr_min=1e-9", "lr_max=1e-8", "steps=20", *SMALL)
    assert numbers["falls_fastest"] is None
    assert "The loss does not fall, so no rate is suggested" in text
