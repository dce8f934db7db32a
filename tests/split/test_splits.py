"""Splits divide: every example once, classes evenly, the same for the same seed."""

import pytest
import sklearn.model_selection as reference
import torch
from conftest import options
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.error import UserError
from dlcourse.order import random_order, stratified_order
from dlcourse.split.holdout import holdout
from dlcourse.split.kfold import kfold
from dlcourse.split.stratified_kfold import stratified_kfold

SPLITS = {"holdout": holdout, "kfold": kfold, "stratified_kfold": stratified_kfold}
labels = st.lists(st.integers(0, 3), min_size=12, max_size=80)
seeds = st.integers(0, 2**32 - 1)


def test_every_split_is_tested_here():
    assert SPLITS.keys() == set(options("split"))


def whole(parts, examples):
    """Check that training and validation examples make up the whole in every part."""
    for part in parts:
        assert torch.equal(torch.cat([part.train, part.val]).sort().values, torch.arange(examples))
    return True


@given(labels, st.integers(2, 12), seeds)
def test_every_example_is_validated_exactly_once(targets, folds, seed):
    targets = torch.tensor(targets)
    parts = kfold(targets, classes=True, ready_val=0, folds=folds, seed=seed)
    assert whole(parts, len(targets))
    assert torch.equal(torch.cat([p.val for p in parts]).sort().values, torch.arange(len(targets)))
    sizes = sorted(len(part.val) for part in parts)
    splitter = reference.KFold(folds)
    assert sizes == sorted(len(val) for _, val in splitter.split(targets))
    assert [part.name for part in parts] == [f"fold{i}" for i in range(folds)]


@given(labels, st.integers(2, 5), seeds)
def test_stratified_folds_hold_every_class_evenly(targets, folds, seed):
    targets = torch.tensor(targets)
    counts = torch.bincount(targets)
    if folds > counts[counts > 0].min():
        with pytest.raises(UserError, match="smallest class"):
            stratified_kfold(targets, classes=True, ready_val=0, folds=folds, seed=seed)
        return
    parts = stratified_kfold(targets, classes=True, ready_val=0, folds=folds, seed=seed)
    assert whole(parts, len(targets))
    assert torch.equal(torch.cat([p.val for p in parts]).sort().values, torch.arange(len(targets)))
    for label in range(len(counts)):
        shares = [int((targets[part.val] == label).sum()) for part in parts]
        assert max(shares) - min(shares) <= 1
    sizes = [len(part.val) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@given(labels, st.floats(0.1, 0.9), seeds)
def test_a_holdout_takes_its_fraction_of_every_class(targets, fraction, seed):
    targets = torch.tensor(targets)
    (part,) = holdout(targets, classes=True, ready_val=0, fraction=fraction, seed=seed)
    assert part.name == "."
    assert whole([part], len(targets))
    assert len(part.val) == round(len(targets) * fraction)
    for label, count in enumerate(torch.bincount(targets).tolist()):
        held = int((targets[part.val] == label).sum())
        assert abs(held - count * len(part.val) / len(targets)) <= 2


@pytest.mark.parametrize("split", [holdout, kfold, stratified_kfold])
def test_a_split_follows_from_its_seed(split):
    targets = torch.arange(60) % 3
    options = {"fraction": 0.3} if split is holdout else {"folds": 3}

    def draw(seed):
        return split(targets, classes=True, ready_val=0, seed=seed, **options)[0].val

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_a_ready_made_validation_part_is_taken_as_it_is():
    (part,) = holdout(torch.zeros(10).long(), classes=True, ready_val=3, fraction=0.5, seed=0)
    assert part.val.tolist() == [7, 8, 9]
    assert part.train.tolist() == list(range(7))


def test_fraction_zero_trains_on_everything():
    (part,) = holdout(torch.zeros(10).long(), classes=True, ready_val=0, fraction=0.0, seed=0)
    assert len(part.train) == 10
    assert len(part.val) == 0


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_a_fraction_that_leaves_nothing_is_refused(fraction):
    with pytest.raises(UserError, match=r"split\.fraction"):
        holdout(torch.zeros(10).long(), classes=True, ready_val=0, fraction=fraction, seed=0)


def test_more_folds_than_examples_are_refused():
    with pytest.raises(UserError, match=r"split\.folds=5"):
        kfold(torch.zeros(4, 1), classes=False, ready_val=0, folds=5, seed=0)


def test_a_regression_cannot_be_stratified():
    with pytest.raises(UserError, match="split=kfold"):
        stratified_kfold(torch.zeros(9, 1), classes=False, ready_val=0, folds=3, seed=0)


@given(labels, seeds)
def test_a_stratified_order_is_a_permutation_whose_beginning_has_the_classes_shares(targets, seed):
    targets = torch.tensor(targets)
    order = stratified_order(targets, seed)
    assert torch.equal(order.sort().values, torch.arange(len(targets)))
    counts = torch.bincount(targets, minlength=4)
    for size in range(len(targets)):
        held = torch.bincount(targets[order[:size]], minlength=4)
        assert ((held - counts * size / len(targets)).abs() <= 2).all()


def test_a_random_order_is_not_stratified():
    targets = torch.arange(400) % 2
    assert (torch.bincount(targets[random_order(400, 0)[:100]]) != 50).any()
