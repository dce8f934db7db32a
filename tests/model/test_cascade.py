"""Cascade-correlation adds units, freezes them, and separates the two spirals."""

import math

import pytest
import torch
from conftest import prepared, same

from dlcourse.core import Dataset, Fold, Record, Split
from dlcourse.data.transforms import standardize
from dlcourse.engine.assemble import make_recipe, make_state
from dlcourse.engine.instantiate import build
from dlcourse.model.cascade import error_left, install_candidate
from dlcourse.train.checkpoint import restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit, train_epoch

TRAINING_LOSS = ("monitor=train/loss", "mode=min")
SHORT = ("model.candidate_steps=20", "model.output_steps=20")


def spirals():
    """Return the 194 points of Lang and Witbrock's two intertwined spirals and their classes."""
    turn = torch.arange(97, dtype=torch.float64)
    radius, angle = 6.5 * (104 - turn) / 104, turn * math.pi / 16
    one = torch.stack([radius * angle.sin(), radius * angle.cos()], 1)
    inputs = torch.cat([one, -one]).float()
    return (inputs - inputs.mean(0)) / inputs.std(0), torch.arange(2).repeat_interleave(97)


def started(cfg, inputs, targets, classes=("one", "two")):
    """Return a fresh state, a fold of the given examples and a recipe."""
    part = Split(inputs, targets)
    dataset = Dataset("spirals", part, part, classes)
    fold = Fold(".", part, part, standardize(part, "none"))
    runtime = build(cfg["runtime"])()
    return make_state(cfg, runtime, dataset), fold, make_recipe(cfg, runtime, dataset, fold)


def grow(state, fold, recipe):
    """Train one epoch and record its metrics."""
    metrics = train_epoch(state, fold, recipe)
    state.history.append(Record(len(state.history) + 1, metrics))
    return metrics


@pytest.fixture
def spiral_run(compose):
    """Return a function from overrides to a state, a fold and a recipe on the spirals."""
    return lambda *overrides: started(
        compose("data=moons", "model=cascade", "runtime=cpu", *TRAINING_LOSS, *overrides),
        *spirals(),
    )


def test_cascade_correlation_separates_the_two_spirals_with_at_most_20_units(spiral_run):
    state, fold, recipe = spiral_run()
    inputs, classes = spirals()
    for epoch in range(21):
        torch.manual_seed(epoch)
        grow(state, fold, recipe)
        if torch.equal(state.model(inputs).argmax(1), classes):
            break
    assert torch.equal(state.model(inputs).argmax(1), classes)
    assert 5 <= state.model.installed <= 20


def test_without_units_it_is_linear_and_fails_on_the_spirals(spiral_run):
    state, fold, recipe = spiral_run("model.output_steps=50")
    grow(state, fold, recipe)
    assert state.model.installed == 0
    assert recipe.metrics[0].measure(state.model(spirals()[0]), spirals()[1]) < 0.7 * 194


def test_it_adds_one_unit_per_epoch_up_to_model_units(spiral_run):
    state, fold, recipe = spiral_run("model.units=3", *SHORT)
    installed, shapes, losses = [], [], []
    for _ in range(6):
        losses.append(grow(state, fold, recipe)["train/loss"])
        installed.append(int(state.model.installed))
        shapes.append([tuple(tensor.shape) for tensor in state.model.state_dict().values()])
    assert installed == [0, 1, 2, 3, 3, 3]
    assert all(shape == shapes[0] for shape in shapes)
    assert losses == sorted(losses, reverse=True)


def test_installed_units_are_frozen_and_a_new_unit_leaves_the_outputs_unchanged(spiral_run):
    state, fold, recipe = spiral_run("model.units=4", "optim.weight_decay=0.1", *SHORT)
    model, (inputs, _) = state.model, spirals()
    for _ in range(3):
        grow(state, fold, recipe)
    weights, values = model.weights[:2].clone(), model.features(inputs)[:, :4].clone()
    outputs = model(inputs)
    install_candidate(model, 0)
    torch.testing.assert_close(model(inputs), outputs)
    assert model.features(inputs)[:, 4].any()
    grow(state, fold, recipe)
    assert torch.equal(model.weights[:2], weights)
    assert torch.equal(model.features(inputs)[:, :4], values)


def test_a_unit_takes_the_inputs_and_all_earlier_units(spiral_run):
    state, fold, recipe = spiral_run(*SHORT)
    for _ in range(4):
        grow(state, fold, recipe)
    inputs, model = spirals()[0], state.model
    values = inputs
    for weights, bias in zip(model.weights[:3], model.biases[:3], strict=True):
        new = torch.tanh(values @ weights[: values.shape[1]] + bias)
        values = torch.cat([values, new[:, None]], 1)
    torch.testing.assert_close(model.features(inputs)[:, :5], values)
    assert not model.features(inputs)[:, 5:].any()
    outputs = values @ model.output.weight[:, :5].T + model.output.bias
    torch.testing.assert_close(model(inputs), outputs)


def test_a_resumed_run_ends_with_the_same_weights(tiny, tmp_path):
    overrides = ["model=cascade", "data.size=8", "max_epochs=4", "batch_size=full", *SHORT]
    straight, fold, recipe = prepared(tiny(*overrides))
    fit(straight, fold, recipe)
    state, fold, recipe = prepared(tiny(*overrides, "max_epochs=2"))
    fit(state, fold, recipe, [Checkpoint(tmp_path)])
    torch.manual_seed(5)
    state, fold, recipe = prepared(tiny(*overrides))
    fit(restore(state, tmp_path), fold, recipe)
    assert same(straight.model, state.model)
    assert torch.equal(straight.model.weights, state.model.weights)
    assert straight.model.installed == 3


@pytest.mark.parametrize(
    "overrides",
    [["data=sine"], ["data=digits", "data.size=8"], ["runtime.precision=bf16"],
     ["regularizer=[l2]", "clip=norm"], ["regularizer=[max_norm]"], ["optim=momentum"],
     ["optim=muon"], ["model.activation=gaussian"], ["model.activation=prelu"]],
    ids=lambda overrides: overrides[0],
)  # fmt: skip
def test_it_trains_with_choices_of_every_group(overrides, compose):
    overrides = [
        "data=moons",
        *overrides,
        "data.examples=60",
        *SHORT,
        "model.units=3",
        "max_epochs=4",
    ]
    state, fold, recipe = prepared(compose("model=cascade", "runtime=cpu", *overrides))
    fit(state, fold, recipe)
    losses = [record.metrics["train/loss"] for record in state.history]
    assert losses[-1] < losses[0]
    assert state.model.installed == 3


@pytest.mark.parametrize("name", ["zeros", "normal", "orthogonal", "he_uniform"])
def test_it_trains_from_any_initial_weights(name, spiral_run):
    state, fold, recipe = spiral_run(f"init={name}", *SHORT)
    losses = [grow(state, fold, recipe)["train/loss"] for _ in range(4)]
    assert losses[-1] < losses[0]
    assert state.model.weights[:3].abs().sum(1).min() > 0


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_the_error_is_the_derivative_with_respect_to_the_outputs(loss, compose):
    cfg = compose("data=moons", "model=cascade", "runtime=cpu", f"loss={loss}")
    state, _, recipe = started(cfg, *spirals())
    inputs, classes = spirals()
    features = state.model.features(inputs)
    outputs = state.model.output(features)
    if loss == "cross_entropy":
        outputs = outputs.softmax(1)
    expected = outputs - torch.nn.functional.one_hot(classes, 2)
    torch.testing.assert_close(error_left(state.model, features, classes, recipe), expected)
