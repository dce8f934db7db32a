"""A sweep compares only values of the same loss on the same data."""

import pytest
from planning import planned

from dlcourse.errors import UserError
from dlcourse.sweep.comparability import all_comparable, refuse_incomparable

LOSS = ("monitor=val/loss", "mode=min")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["loss=cross_entropy,mse"], "loss=cross_entropy .* with loss=mse"),
        (["model=mlp,perceptron"], r"loss=cross_entropy \(in model=mlp\) with loss=perceptron"),
        (["model=linear", "loss=hinge", "loss.margin=1,2"], "loss.margin=1 .* with loss.margin=2"),
        (["loss.label_smoothing=0,0.1"], "favours training without it"),
        (["loss=cross_entropy,bce", "sweep=random", "sweep.draws=9"], "no common scale"),
        (["loss=cross_entropy,mse", "sweep=one_at_a_time"], "no common scale"),
        (["loss=cross_entropy,mse", "sweep=optuna"], "no common scale"),
        (["data.noise=0.1,0.3", "data=moons", "sweep=optuna"], "different data: data.noise=0.1"),
    ],
)
def test_values_without_a_common_scale_are_refused(overrides, message):
    plan = planned("model=mlp", *overrides, *LOSS)
    with pytest.raises(UserError, match=message) as refused:
        refuse_incomparable(plan)
    assert "nothing was started" in str(refused.value)
    assert not all_comparable(plan)


@pytest.mark.parametrize(
    "overrides",
    [
        ["optim.lr=0.1,0.01", *LOSS],
        ["loss=cross_entropy,nll", *LOSS],  # the same value
        ["loss=cross_entropy,mse"],  # by val/accuracy
        ["loss.label_smoothing=0,0.1"],
        ["data.examples=40,60", *LOSS],
        ["data.standardize=channel,pixel", *LOSS],
        ["data.size=8,28", *LOSS],
        ["augment=[],[flip]", *LOSS],
        ["sweep=optuna", "optim.lr=interval(0.001,0.1)", *LOSS],
    ],
)
def test_values_with_a_common_scale_are_compared(overrides):
    plan = planned("model=mlp", *overrides)
    refuse_incomparable(plan)
    assert all_comparable(plan)


@pytest.mark.parametrize(
    "overrides",
    [
        ["data=digits,blobs"],
        ["data=blobs", "data.std=1,2"],
        ["data.random_labels=0,0.2"],
        ["data=digits,diabetes", "metric=[]", *LOSS],  # losses of different tasks
        ["augment=[],[flip]", "monitor=train/loss", "mode=min"],
    ],
)
def test_a_sweep_over_data_sets_runs_and_has_no_best_point(overrides):
    plan = planned("model=mlp", *overrides)
    refuse_incomparable(plan)
    assert not all_comparable(plan)


def test_the_error_suggests_a_metric_that_the_run_measures():
    plan = planned("data=diabetes", "model=linear", "loss=mse,mse", *LOSS)
    refuse_incomparable(plan)
    plan = planned("metric=[top_k]", "loss=cross_entropy,mse", *LOSS)
    with pytest.raises(UserError, match="Type monitor=val/top_k mode=max"):
        refuse_incomparable(plan)
