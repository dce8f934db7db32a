"""The presets of speed records train small models and follow their sources."""

import math

import pytest
import torch
from conftest import prepared

from dlcourse.core import Observer
from dlcourse.engine.run import run
from dlcourse.train.fit import fit

SMALL = [
    "data=digits", "data.size=20", "data.channels=3", "data.examples=60", "batch_size=20",
    "model.widths=[8,8,8]", "observe=[]", "runtime=cpu",
]  # fmt: skip
CIFAR = ["cifar10_94", "cifar10_94_lookahead", "cifar10_96"]


@pytest.mark.parametrize("name", [*CIFAR, "mnist_99"])
def test_a_recipe_trains_and_tests_a_small_model(name, compose, tmp_path):
    assert math.isfinite(run(compose(f"experiment={name}", *SMALL, "max_epochs=1.5"), tmp_path))


@pytest.mark.parametrize("name", CIFAR)
def test_decay_per_step_is_equal_in_all_groups_and_shifts_learn_64_times_as_fast(name, compose):
    state, *_ = prepared(compose(f"experiment={name}", *SMALL))
    groups = [g for g in state.optimizer.param_groups if g["weight_decay"] > 0]
    decays = [group["initial_lr"] * group["weight_decay"] for group in groups]
    assert max(decays) == pytest.approx(min(decays), rel=1e-4)
    rates = [group["initial_lr"] for group in groups]
    assert max(rates) == pytest.approx(64 * min(rates))


@pytest.mark.parametrize("name", CIFAR)
def test_the_whitening_filters_are_frozen_and_their_bias_trains_for_three_epochs(name, compose):
    state, fold, recipe = prepared(compose(f"experiment={name}", *SMALL, "max_epochs=4.4"))
    start = state.model.whitening.weight.clone()
    biases = []

    class Look(Observer):
        def epoch(self, state):
            biases.append(state.model.whitening.bias.clone())

    fit(state, fold, recipe, [Look()])
    assert (state.model.whitening.weight == start).all()
    assert (biases[1] != biases[2]).any()
    torch.testing.assert_close(biases[3], biases[4])  # in epoch 4 Lookahead resets it once more
