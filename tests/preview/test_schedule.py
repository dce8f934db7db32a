"""The learning rates that are shown are those that training sets."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import prepared

from dlcourse.train.fit import fit


def curves(figure) -> dict[str, tuple]:
    """Return the points of each curve of the upper panel by its label."""
    axes = figure.axes[0]
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in axes.lines}


def rates_in_training(state, fold, recipe):
    """Train, and return the rates of all groups before each step."""
    seen = []

    def step(state, *batch):
        seen.append([float(group["lr"]) for group in state.optimizer.param_groups])
        return recipe.step(state, *batch)

    fit(state, fold, replace(recipe, step=step))
    return seen


@pytest.mark.parametrize(
    "options",
    [
        ["schedule=cosine", "schedule.warmup=0.5"],
        ["schedule=one_cycle", "max_epochs=1.5"],
        ["schedule=step", "schedule.step_size=1", "batch_size=full"],
        ["schedule=linear", "optim.rates=[features.*:0.1]", "optim.freeze_until=[features.*:1]"],
    ],
)
def test_the_rates_are_those_before_each_step_of_a_real_run(options, shown, compose):
    options = ["data.examples=60", "max_epochs=3", "batch_size=7", "optim=momentum", *options]
    seen = rates_in_training(*prepared(compose(*options, "stop=never", "runtime=cpu")))
    _, figures = shown("what=schedule", *options)
    found = [rates[:-1] for _, rates in curves(figures["schedule"]).values()]
    expected = np.unique(np.array(seen).T, axis=0)
    np.testing.assert_allclose(np.unique(np.array(found), axis=0), expected, rtol=1e-12)


def test_several_schedules_are_one_curve_each_in_one_chart(shown):
    text, figures = shown("what=schedule", "schedule=cosine,step,exponential", "optim.lr=0.1")
    assert list(curves(figures["schedule"])) == ["cosine", "step", "exponential"]
    assert "50 epochs, 18 steps in each" in text
    assert text.count(".png") == 1


def test_mnist_is_not_read_because_its_size_is_known(shown):
    text, _ = shown("what=schedule", "data=mnist", "data.root=no/such", "max_epochs=2")
    assert "2 epochs, 750 steps in each" in text


def test_plateau_is_refused_without_scores_and_follows_them(shown, refused):
    assert "scores=0.5,0.7,0.7,0.7" in refused("what=schedule", "schedule=plateau")
    options = ["schedule=plateau", "schedule.patience=1", "max_epochs=6"]
    _, figures = shown("what=schedule", *options, "scores=0.5,0.9,0.9,0.8,0.8")
    ((epochs, rates),) = curves(figures["schedule"]).values()
    assert [rates[epochs == epoch][0] for epoch in range(6)] == pytest.approx(
        [1e-3, 1e-3, 1e-3, 1e-3, 1e-4, 1e-4]
    )
    falling = ["mode=min", "monitor=val/loss", "scores=0.9,0.5,0.4,0.3,0.2,0.1"]
    ((_, rates),) = curves(shown("what=schedule", *options, *falling)[1]["schedule"]).values()
    assert set(rates) == {1e-3}


def test_frozen_epochs_are_marked_and_named(shown):
    text, figures = shown("what=schedule", "optim.freeze_until=[features.*:3]")
    assert "features.*: frozen from epoch 0 to epoch 3." in text
    (bar,) = figures["schedule"].axes[1].patches
    assert (bar.get_x(), bar.get_width()) == (0, 3)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["optim=lbfgs", "model=linear", "batch_size=full"], "finds the length of its steps"),
        (["scale=cubic"], "scale=cubic is not allowed"),
        (["schedule=plateau", "scores=a,b"], "scores takes numbers"),
        (["schedule=cosinus"], "did you mean cosine"),
        (["seed=1,2,3,4,5,6,7,8,9,10,11,12,13"], "13 combinations"),
        (["-m"], "-m is not for a plot of learning rates"),
    ],
)
def test_a_wrong_option_of_the_schedule_gets_one_message(options, named, refused):
    assert named in refused("what=schedule", *options)


def test_one_curve_has_no_column_of_names_and_several_have_one(shown):
    text, _ = shown("what=schedule", "schedule=cosine")
    assert "curve" not in text
    assert "┃ first step" in text
    text, _ = shown("what=schedule", "schedule=cosine,step")
    assert "┃ curve" in text
