"""``runtime.precision=fp64``: data, weights and loss in float64, as in a hand-written loop."""

import copy

import pytest
import torch
from conftest import prepared, same
from torch.nn import functional as F

from dlcourse import atomic_files
from dlcourse.core import Observer
from dlcourse.engine.run import run
from dlcourse.train.batches import into_batches
from dlcourse.train.evaluate import evaluate
from dlcourse.train.fit import fit
from dlcourse.train.rng import epoch_order

DOUBLE = "runtime.precision=fp64"


def by_hand(model, cfg, train, epochs: int):
    """Train a copy of a model with a plain loop: standardise in float64, Adam, mini-batches."""
    model = copy.deepcopy(model)
    inputs = train.inputs.double()
    mean = inputs.mean((0, 2, 3), keepdim=True)
    std = inputs.square().mean((0, 2, 3), keepdim=True).sub(mean.square()).sqrt()
    inputs = (inputs - mean) * (1 / std)
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg["optim"]["lr"])
    for epoch in range(epochs):
        for index in into_batches(epoch_order(len(train), cfg["seed"], epoch), cfg["batch_size"]):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[index]), train.targets[index]).backward()
            optimizer.step()
    return model


@pytest.mark.parametrize(("precision", "equal"), [("fp64", True), ("fp32", False)])
def test_fp64_training_equals_a_hand_written_float64_loop(precision, equal, tiny):
    cfg = tiny("model=lenet", "optim=adam", f"runtime.precision={precision}", "stop=never")
    state, fold, recipe = prepared(cfg)
    hand = by_hand(state.model.double() if not equal else state.model, cfg, fold.train, 2)
    if not equal:
        state.model.float()
    fit(state, fold, recipe)
    gaps = [
        (one.double() - other).abs().max()
        for one, other in zip(state.model.parameters(), hand.parameters(), strict=True)
    ]
    assert (max(gaps) < 1e-12) == equal


@pytest.mark.parametrize("overrides", [
    ["model=vit", "model.width=24", "model.heads=3", "model.depth=2", "optim=muon", "average=ema"],
    ["model=resnet20", "model.depth=8", "augment=[mixup,crop]", "optim=sam", "clip=agc"],
    ["model=cascade", "model.units=2", "stop=never", "optim=adam"],
    ["data=sine", "model=polynomial", "optim=lbfgs"],
    ["data=diabetes", "model=linear", "optim=closed_form", "data.standardize=none"],
    ["model=autoencoder", "data.reconstruct=true"],
    ["model=mlp", "view=[mirror]", "loss=bce", "regularizer=[l1,max_norm]", "average=lookahead"],
], ids=lambda overrides: overrides[0])  # fmt: skip
def test_weights_inputs_and_outputs_are_float64_and_metrics_are_numbers(overrides, tiny):
    state, fold, recipe = prepared(tiny(*overrides, DOUBLE))
    fit(state, fold, recipe)
    for model in (state.model, state.averaged):
        assert {weight.dtype for weight in model.parameters()} == {torch.float64}
    inputs = fold.standardize(fold.train.inputs[:4])
    assert inputs.dtype == torch.float64
    assert recipe.predict(state.model.eval(), inputs).dtype == torch.float64
    own = evaluate(state.averaged, fold.train, fold.standardize, recipe, "train")
    assert all(value == value for value in own.values())


def test_an_fp64_run_resumes_exactly_and_can_start_from_the_weights_of_an_fp32_run(tiny, tmp_path):
    overrides = ["model=mlp", "model.widths=[8]", "model.dropout=0.2", "stop=never"]
    cfg = tiny(*overrides, DOUBLE, "max_epochs=3")
    run(cfg, tmp_path / "whole")

    class Stop(Observer):
        def epoch(self, state):
            if len(state.history) == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(cfg, tmp_path / "stopped", observers=[Stop()])
    run(cfg, tmp_path / "stopped")
    ends = [
        atomic_files.load_checked(tmp_path / name / "checkpoints/last.pt")["model"]
        for name in ("whole", "stopped")
    ]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert {value.dtype for value in ends[0].values()} == {torch.float64}
    run(tiny(*overrides), tmp_path / "single")
    cfg = tiny(*overrides, DOUBLE, "init=from_run", f"init.run={tmp_path / 'single'}")
    state, *_ = prepared(cfg)
    single, *_ = prepared(tiny(*overrides, "init=from_run", f"init.run={tmp_path / 'single'}"))
    assert same(state.model, single.model.double())
