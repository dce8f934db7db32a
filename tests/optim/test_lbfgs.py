"""L-BFGS takes the whole training part in a step, and one parameter group."""

import pytest
import torch
from conftest import prepared
from torch import nn

from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.schema.validate import NOT_ARGUMENTS
from dlcourse.train.fit import fit


def test_lbfgs_fits_a_linear_model_in_fewer_epochs_than_gradient_descent(compose):
    overrides = ["data=digits", "data.size=8", "data.examples=300", "model=linear", "runtime=cpu"]
    losses = {}
    for name in ("lbfgs", "gd"):
        state, fold, recipe = prepared(compose(*overrides, f"optim={name}", "max_epochs=5"))
        fit(state, fold, recipe)
        losses[name] = state.history[-1].metrics["train/loss"]
    assert losses["lbfgs"] < 0.01 * losses["gd"]


def test_optim_lbfgs_sets_batch_size_full(compose):
    assert compose("optim=lbfgs")["batch_size"] == "full"


def test_more_than_one_parameter_group_is_refused(compose):
    groups = [{"params": [nn.Parameter(torch.ones(2))], "weight_decay": 0.0} for _ in range(2)]
    with pytest.raises(UserError, match=r"Type optim\.rates=\[\]"):
        build(compose("optim=lbfgs")["optim"], *NOT_ARGUMENTS["optim"])(groups)


def test_all_evaluations_of_a_step_use_the_same_dropout_masks(compose):
    overrides = [
        "data=digits",
        "data.size=8",
        "data.examples=100",
        "model=mlp",
        "model.widths=[16]",
    ]
    cfg = compose(*overrides, "optim=lbfgs", "model.dropout=0.5", "runtime=cpu")
    state, fold, recipe = prepared(cfg)
    inputs = recipe.prepare(fold.standardize(fold.train.inputs))
    losses = []
    for _ in range(2):
        torch.manual_seed(3)  # the masks of the first step again
        losses.append(recipe.step(state, inputs, fold.train.targets, recipe)[1])
    assert losses[1] < 0.1 * losses[0]
