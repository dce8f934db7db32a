"""Properties of optimizers; their update rules are in ``references/optim.py``."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import options, prepared, same
from references.optim import ROWS, adam, follow

from dlcourse import atomic_files
from dlcourse.train.fit import fit

SMALL = ("model=mlp", "model.widths=[8]", "data.size=8", "batch_size=30")


def test_every_optimizer_has_a_reference():
    assert ROWS.keys() == set(options("optim"))


def test_the_comparison_finds_a_wrong_update_rule(compose):
    cfg = compose("optim=adam")
    assert np.abs(follow(cfg) - adam(cfg["optim"])).max() < 1e-9
    assert np.abs(follow(cfg) - adam(cfg["optim"], decay=0.01)).max() > 1e-9


def test_amsgrad_differs_from_adam_when_gradients_decrease(compose):
    far = compose("optim=amsgrad", "optim.betas=[0.9,0.5]", "optim.lr=0.3")
    near = compose("optim=adam", "optim.betas=[0.9,0.5]", "optim.lr=0.3")
    assert not np.allclose(follow(far), follow(near))


@pytest.mark.parametrize("name", ["sam", "muon", "lbfgs"])
def test_an_optimizer_restored_from_a_file_ends_with_the_same_weights(name, tiny, tmp_path):
    cfg = tiny(*SMALL, f"optim={name}", "schedule=cosine", "stop=never", "max_epochs=4")
    straight, fold, recipe = prepared(cfg)
    fit(straight, fold, recipe)
    first, fold, recipe = prepared(cfg)
    for epochs in (2, 4):
        state, _, _ = prepared(cfg)
        state.model.load_state_dict(first.model.state_dict())
        if epochs == 4:
            atomic_files.save_checked(tmp_path / "state.pt", first.optimizer.state_dict())
            state.optimizer.load_state_dict(atomic_files.load_checked(tmp_path / "state.pt"))
            state.history = list(first.history)
        run_until(state, fold, recipe, epochs)
        first = state
    assert same(straight.model, first.model)


def run_until(state, fold, recipe, epochs):
    """Train up to an epoch; the schedule is that of the whole run."""
    fit(state, fold, dataclasses.replace(recipe, stop=lambda past: len(past) >= epochs))


@pytest.mark.parametrize("name", ["sam", "lbfgs"])
def test_an_optimizer_with_several_forward_passes_updates_norm_statistics_once(name, tiny):
    cfg = tiny(*SMALL, "model.norm=batch", f"optim={name}")
    state, fold, recipe = prepared(cfg)
    norm = state.model.hidden[1]
    inputs = recipe.prepare(fold.standardize(fold.train.inputs[:30]))
    mean = state.model.hidden[0](inputs.flatten(1)).mean(0)
    recipe.step(state, inputs, fold.train.targets[:30], recipe)
    assert norm.num_batches_tracked == 1
    torch.testing.assert_close(norm.running_mean, 0.1 * mean)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [("sam", ["regularizer=[l2]", "regularizer.l2.strength=0.1"]),
     ("lbfgs", ["regularizer=[l2]", "regularizer.l2.strength=0.1"]),
     ("sam", ["runtime.precision=bf16"]), ("lbfgs", ["runtime.precision=bf16"]),
     ("sam", ["regularizer=[max_norm]", "regularizer.max_norm.limit=0.1"]),
     ("sam", ["clip=norm", "clip.max_norm=0.1"])],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)  # fmt: skip
def test_an_optimizer_with_its_own_step_applies_penalty_clip_and_precision(name, overrides, tiny):
    ends = []
    for more in ([], overrides):
        state, fold, recipe = prepared(tiny(*SMALL, f"optim={name}", *more))
        fit(state, fold, recipe)
        ends.append(state.model)
        assert state.history[-1].metrics["train/loss"] < state.history[0].metrics["train/loss"]
    assert not same(*ends)
