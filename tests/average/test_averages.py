"""Averaged weights equal their formula and are validated, tested and saved."""

import dataclasses

import pytest
import torch
from conftest import options, prepared, same
from torch import nn

from dlcourse.engine.instantiate import build
from dlcourse.engine.run import run
from dlcourse.runs import run_folder
from dlcourse.train.checkpoint import read_best
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.evaluate import evaluate
from dlcourse.train.fit import fit


def average(compose, *overrides):
    return build(compose(*overrides)["average"])()


def test_every_average_is_tested_here():
    assert set(options("average")) == {"none", "ema", "lookahead", "swa"}


def test_with_average_none_the_trained_model_is_evaluated(compose):
    model = nn.Linear(2, 2)
    assert average(compose, "average=none").start(model) is model


def test_the_moving_average_equals_its_formula_with_a_growing_decay(compose):
    ema = average(compose, "average=ema", "average.decay=0.5")
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).double()
    averaged = ema.start(model)
    assert not any(parameter.requires_grad for parameter in averaged.parameters())
    expected = model[0].weight.detach().clone()
    for step in range(8):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        model(torch.randn(5, 3).double())
        ema.update(averaged, model, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model[0].weight.detach()
    torch.testing.assert_close(averaged[0].weight, expected)
    assert averaged[1].num_batches_tracked == 8
    assert 0 < (averaged[1].running_mean - model[1].running_mean).abs().max() < 1


def test_the_averaged_weights_are_validated_and_saved(tiny, tmp_path):
    state, fold, recipe = prepared(tiny("model=mlp", "average=ema", "optim.lr=0.01"))
    fit(state, fold, recipe, [Checkpoint(tmp_path)])
    last = state.history[-1].metrics["val/loss"]
    values = {
        name: evaluate(model, fold.val, fold.standardize, recipe, "val")["val/loss"]
        for name, model in (("averaged", state.averaged), ("raw", state.model))
    }
    assert values["averaged"] == last != values["raw"]
    best = max(record.metrics["val/accuracy"] for record in state.history)
    read_best(state.model, tmp_path)
    assert evaluate(state.model, fold.val, fold.standardize, recipe, "val")[
        "val/accuracy"
    ] == pytest.approx(best)


def test_a_moving_average_does_not_change_training(tiny, tmp_path):
    for choice in ("none", "ema"):
        run(tiny("model=mlp", f"average={choice}"), tmp_path / choice)
    raw, averaged = (
        torch.load(tmp_path / choice / "checkpoints/last.pt")["model"] for choice in ("none", "ema")
    )
    assert all(torch.equal(raw[name], averaged[name]) for name in raw)
    values = [run_folder.read_result(tmp_path / name)["val"]["loss"] for name in ("none", "ema")]
    assert values[0] != values[1]


def test_lookahead_resets_the_weights_at_the_last_step(tiny):
    """48 examples in batches of 16 are 3 steps an epoch; the last step resets the weights."""
    overrides = ["model=mlp", "model.norm=batch", "average=lookahead", "average.every=100"]
    state, fold, recipe = prepared(tiny(*overrides, "max_epochs=1.7"))
    assert recipe.average.steps == 3 + 2
    fit(state, fold, recipe)
    ours, theirs = state.model, state.averaged
    assert all(torch.equal(*p) for p in zip(ours.buffers(), theirs.buffers(), strict=True))
    assert same(ours, theirs)
    other, fold, recipe = prepared(tiny(*overrides[:2], "max_epochs=1.7", "average=none"))
    fit(other, fold, recipe)
    assert not same(ours, other.model), "the weights are those of a run without lookahead"


def test_lookahead_resumes_from_a_checkpoint_to_the_same_weights(tiny, tmp_path):
    from dlcourse.train.checkpoint import restore

    cfg = tiny("model=mlp", "average=lookahead", "average.every=2", "average.power=3")
    straight, fold, recipe = prepared(cfg)
    fit(straight, fold, recipe)
    first, *_ = prepared(cfg)
    once = dataclasses.replace(recipe, stop=lambda past: len(past) >= 1)
    fit(first, fold, once, [Checkpoint(tmp_path)])
    second = fit(restore(prepared(cfg)[0], tmp_path), fold, recipe)
    for one, other in ((straight.model, second.model), (straight.averaged, second.averaged)):
        assert all(torch.equal(*p) for p in zip(one.parameters(), other.parameters(), strict=True))
