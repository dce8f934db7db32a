"""Weights of classes and examples in the training loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import composed, option_facts, options, prepared, same
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from dlcourse.core import Fold, Split
from dlcourse.core.weighted import (
    AppendWeights,
    WeightedLoss,
    each_loss_in_turn,
    each_loss_of,
    without_weights,
)
from dlcourse.engine.assemble import make_loss, make_recipe, make_state
from dlcourse.engine.datasets import load_data, make_fold, split_training_data
from dlcourse.engine.imbalance import warn_of_imbalance
from dlcourse.engine.instantiate import build
from dlcourse.engine.weights import way_of_each
from dlcourse.errors import UserError
from dlcourse.train.batches import into_batches
from dlcourse.train.fit import train_epoch
from dlcourse.train.rng import epoch_order, reseed

BASE = ("model=linear", "optim=sgd", "data.examples=70", "batch_size=32", "runtime=plain")


def parts(*overrides, weights=None):
    """Return a state, a fold and a recipe; weights: those of the training examples, by position."""
    cfg = composed(*BASE, *overrides)
    runtime = build(cfg["runtime"])()
    dataset = load_data(cfg)
    fold = make_fold(cfg, dataset, split_training_data(cfg, dataset)[0], runtime)
    if weights is not None:
        fold = replace(fold, train=replace(fold.train, weights=weights[: len(fold.train)]))
    state = make_state(cfg, runtime, dataset, fold)
    return cfg, dataset, state, fold, make_recipe(cfg, runtime, dataset, fold)


@pytest.mark.parametrize("name", options("loss"))
def test_the_loss_of_each_example_is_that_of_a_batch_of_one(name):
    values = option_facts("loss", name)["task"] == "regression"
    loss = make_loss(composed(f"loss={name}", *(["data=diabetes"] if values else ["model=mlp"])))
    outputs = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.randn(9, 4).double() if values else torch.arange(9) % 4
    found = each_loss_of(loss, outputs, targets)
    expected = torch.stack([loss(o[None], t[None]) for o, t in zip(outputs, targets, strict=True)])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.mean(), loss(outputs, targets), rtol=1e-12, atol=1e-12)


def test_balanced_weights_are_scikit_learns_and_those_of_the_folds_training_part_alone():
    _, dataset, _, fold, recipe = parts("loss.class_weight=balanced", "data.examples=100")
    targets = fold.train.targets
    expected = compute_class_weight("balanced", classes=np.arange(10), y=targets.numpy())
    append = recipe.augment[-1]
    assert isinstance(append, AppendWeights)
    assert append.classes.tolist() == pytest.approx(expected.tolist())
    assert len(targets) < len(dataset.train)
    assert float(append.classes[targets].mean()) == pytest.approx(1.0)


def bare_loop(state, fold, recipe, weight):
    """Train an epoch of plain SGD on the mean of w l, without dlcourse."""
    model = state.model
    reseed(recipe.seed, 0)
    order = epoch_order(len(fold.train), recipe.seed, 0)
    for index in into_batches(order, recipe.batch_size):
        inputs, targets = fold.standardize(fold.train.inputs[index]), fold.train.targets[index]
        losses = F.cross_entropy(model(inputs), targets, reduction="none")
        grads = torch.autograd.grad((weight(index, targets) * losses).mean(), model.parameters())
        with torch.no_grad():
            for parameter, grad in zip(model.parameters(), grads, strict=True):
                parameter -= state.optimizer.param_groups[0]["lr"] * grad
    return model


LIST = [0.5, 3.0, 1.0, 1.0, 2.0, 1.0, 0.0, 1.0, 1.0, 4.0]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_an_epoch_with_weights_of_classes_and_examples_is_that_of_a_bare_loop(accumulate):
    own = torch.rand(70, generator=torch.Generator().manual_seed(0))
    overrides = [f"loss.class_weight={LIST}".replace(" ", ""), f"accumulate={accumulate}"]
    _, _, state, fold, recipe = parts(*overrides, weights=own)
    train_epoch(state, fold, recipe)
    _, _, plain, *_ = parts()
    classes = torch.tensor(LIST)
    other = bare_loop(plain, fold, recipe, lambda index, t: own[index] * classes[t])
    for a, b in zip(state.model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    _, _, control, *_ = parts()
    unweighted = bare_loop(control, fold, recipe, lambda index, t: torch.ones(len(t)))
    assert not torch.allclose(next(unweighted.parameters()), next(other.parameters()), atol=1e-4)


def test_training_metrics_do_not_see_the_weights():
    first, second = (
        train_epoch(*parts(*more)[2:]) for more in (("loss.class_weight=balanced",), ())
    )
    assert first["train/accuracy"] == pytest.approx(second["train/accuracy"], abs=0.1)
    assert first["train/loss"] != second["train/loss"]


def test_without_weights_nothing_is_added():
    recipe = parts()[-1]
    assert recipe.augment == []
    assert not isinstance(recipe.loss, WeightedLoss)


def test_the_weight_of_a_mixed_example_is_the_mean_of_those_of_its_classes():
    append = AppendWeights(None, torch.tensor([1.0, 3.0, 5.0]))
    targets = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]])
    _, packed = append(torch.zeros(2, 1), targets, torch.arange(2), torch.tensor(0))
    own, weights = without_weights(packed, classes=True)
    assert own.equal(targets)
    torch.testing.assert_close(weights, torch.tensor([2.0, 4.6]))


def test_values_keep_their_single_column():
    append = AppendWeights(torch.tensor([2.0, 4.0]), None)
    _, packed = append(torch.zeros(2, 1), torch.tensor([[0.5], [1.5]]), torch.arange(2), None)
    own, weights = without_weights(packed, classes=False)
    assert (own.tolist(), weights.tolist()) == ([[0.5], [1.5]], [2.0, 4.0])


@pytest.mark.parametrize("name", ["bce", "focal"])
def test_several_classes_are_weighted_by_the_ratio_of_negatives_to_positives(name):
    cfg = composed(f"loss={name}", "loss.class_weight=balanced")
    targets = torch.tensor([[1.0, 0], [0, 0], [0, 1], [0, 1]])
    dataset = load_data(composed("data=moons", "model=mlp"))
    split = Split(torch.randn(4, 2), targets)
    dataset = replace(dataset, train=split, test=split)
    assert dataset.task == "multilabel"
    fold = Fold(".", split, None, None)
    recipe = make_recipe(cfg, build(cfg["runtime"])(), dataset, replace(fold, standardize=ZERO))
    outputs = torch.randn(4, 2)
    plain = make_loss(cfg)
    ratio = torch.tensor([3.0, 1.0])
    assert float(recipe.loss(outputs, targets)) == pytest.approx(
        float(plain(outputs, targets, pos_weight=ratio))
    )
    if name == "bce":
        theirs = torch.nn.BCEWithLogitsLoss(pos_weight=ratio)(outputs, targets)
        assert float(recipe.loss(outputs, targets)) == pytest.approx(float(theirs))
    assert float(recipe.plain_loss(outputs, targets)) == pytest.approx(
        float(plain(outputs, targets))
    )


ZERO = type("Zero", (), {"mean": None})()


@pytest.mark.parametrize(
    ("overrides", "weights", "message"),
    [
        (["loss.class_weight=[1,2]"], None, "2 weights, and the data have 10 classes"),
        (["sampler=weighted"], None, "sampler=weighted draws examples by their weights"),
        (["augment=[mixup]"], torch.ones(70), "augment=mixup mixes examples"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(overrides, weights, message):
    with pytest.raises(UserError, match=message):
        parts(*overrides, weights=weights)


def test_weights_that_decide_the_draws_do_not_count_in_the_loss_as_well():
    recipe = parts("sampler=weighted", weights=torch.rand(70))[-1]
    assert not isinstance(recipe.loss, WeightedLoss)


def test_two_runs_with_weights_end_with_the_same_model():
    models = []
    for _ in range(2):
        state, fold, recipe = prepared(composed(*BASE, "loss.class_weight=balanced"))
        train_epoch(state, fold, recipe)
        models.append(state.model)
    assert same(*models)


def test_rare_classes_are_warned_of_once_unless_something_takes_them_into_account(caplog):
    targets = torch.tensor([0] * 44 + [1] * 4)
    for overrides, warned in (
        ([], True),
        (["loss.class_weight=balanced"], False),
        (["sampler=balanced"], False),
        (["monitor=val/f1"], False),
    ):
        cfg, dataset, _, fold, _ = parts(*overrides)
        dataset = replace(dataset, classes=("frequent", "rare"))
        caplog.clear()
        warn_of_imbalance(cfg, dataset, replace(fold, train=split_of_targets(targets)))
        assert ("4 of rare" in caplog.text) is warned
        warn_of_imbalance(cfg, dataset, replace(fold, train=split_of_targets(targets[4:])))
        assert caplog.text.count("of rare") == warned


def split_of_targets(targets):
    return Split(torch.zeros(len(targets), 2), targets)


def my_loss(outputs, targets):
    """A loss that branches on a value, as torch.vmap cannot."""
    return outputs.logsumexp(1).mean() if float(outputs.sum()) < 1e9 else outputs.mean()


def test_a_loss_that_cannot_be_vectorised_is_computed_example_by_example(caplog):
    dataset = load_data(composed("data=moons", "model=mlp"))
    assert way_of_each(my_loss, dataset, dataset.train) is each_loss_in_turn
    assert "one after another" in caplog.text
    outputs, targets = torch.randn(5, 2), torch.zeros(5, dtype=torch.int64)
    found = each_loss_in_turn(my_loss, outputs, targets)
    torch.testing.assert_close(found, outputs.logsumexp(1))
    caplog.clear()
    assert way_of_each(F.cross_entropy, dataset, dataset.train) is each_loss_of
    assert not caplog.text
