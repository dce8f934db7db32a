"""Transfer learning: weights of a finished run, a new head, and freezing by name."""

import dataclasses

import pytest
import torch
from conftest import prepared

from dlcourse.engine.instantiate import build
from dlcourse.engine.run import run
from dlcourse.errors import UserError


@pytest.fixture
def trained(tiny, tmp_path):
    """Return the folder of a LeNet-5 trained on the digits."""
    run(tiny("model=lenet"), tmp_path / "first")
    return tmp_path / "first"


def best(folder):
    return torch.load(folder / "checkpoints/best.pt")["model"]


def test_the_weights_of_the_best_epoch_are_copied(trained, tiny):
    cfg = tiny("model=lenet", "init=from_run", f"init.run={trained}")
    state, *_ = prepared(cfg)
    for name, value in state.model.state_dict().items():
        assert torch.equal(value, best(trained)[name])


def test_the_head_keeps_its_initial_weights_if_the_classes_differ(trained, compose):
    model = build(compose("model=lenet")["model"])((1, 28, 28), 7)
    head = model.classifier[-1].weight.clone()
    build(compose("init=from_run", f"init.run={trained}")["init"])(model)
    assert torch.equal(model.features[0].weight, best(trained)["features.0.weight"])
    assert torch.equal(model.classifier[-1].weight, head)


@pytest.mark.parametrize("overrides", [["model=mlp"], ["model=lenet", "model.norm=batch"]])
def test_weights_of_another_model_are_refused(overrides, trained, compose):
    model = build(compose(*overrides)["model"])((1, 28, 28), 10)
    with pytest.raises(UserError, match="absent"):
        build(compose("init=from_run", f"init.run={trained}")["init"])(model)


def test_a_damaged_checkpoint_is_refused(trained, compose):
    (trained / "checkpoints/best.pt").write_bytes(b"nothing")
    model = build(compose("model=lenet")["model"])((1, 28, 28), 10)
    with pytest.raises(UserError, match=r"best\.pt"):
        build(compose("init=from_run", f"init.run={trained}")["init"])(model)


def test_frozen_parameters_stay_and_the_others_are_trained(trained, tiny, tmp_path):
    overrides = ["model=lenet", "init=from_run", f"init.run={trained}", "optim.freeze=[features.*]"]
    run(tiny(*overrides), tmp_path / "second")
    before, after = best(trained), torch.load(tmp_path / "second/checkpoints/last.pt")["model"]
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("features")


def test_a_frozen_norm_keeps_its_statistics_and_frozen_dropout_is_off(tiny):
    from dlcourse.train.fit import fit

    overrides = [
        "model=lenet",
        "model.norm=batch",
        "model.dropout=0.5",
        "optim.freeze=[features.*]",
    ]
    state, fold, recipe = prepared(tiny(*overrides))
    before = state.model.features[1].running_mean.clone()
    fit(state, fold, dataclasses.replace(recipe, max_epochs=1))
    assert torch.equal(state.model.features[1].running_mean, before)
    state.model.train()
    from dlcourse.train.step import set_train_mode

    set_train_mode(state.model)
    assert not state.model.features[1].training
    assert state.model.classifier[0].training
