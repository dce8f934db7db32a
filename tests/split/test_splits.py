"""Splits use every example once, divide classes evenly, and repeat with the same seed."""

import pytest
import sklearn.model_selection as reference
import torch
from conftest import options
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.errors import UserError
from dlcourse.permutations import random_order, stratified_order
from dlcourse.random_streams import Purpose
from dlcourse.split.group_kfold import group_kfold
from dlcourse.split.holdout import holdout
from dlcourse.split.kfold import kfold
from dlcourse.split.nested import nested
from dlcourse.split.repeated_kfold import repeated_kfold
from dlcourse.split.stratified_kfold import stratified_kfold

SPLITS = {
    "group_kfold": (group_kfold, {"folds": 3}),
    "holdout": (holdout, {"fraction": 0.3}),
    "kfold": (kfold, {"folds": 3}),
    "nested": (nested, {"outer": 3, "inner": 2, "fold": 1, "stratified": False}),
    "repeated_kfold": (repeated_kfold, {"folds": 3, "repeats": 2, "stratified": False}),
    "stratified_kfold": (stratified_kfold, {"folds": 3}),
}
PLAIN = {"classes": True, "ready_val": 0, "groups": None}
labels = st.lists(st.integers(0, 3), min_size=12, max_size=80)
seeds = st.integers(0, 2**32 - 1)


def test_every_split_is_tested_here():
    assert SPLITS.keys() == set(options("split"))


def whole(parts, examples):
    """Check that training and validation together are all examples, for every part."""
    for part in parts:
        assert torch.equal(torch.cat([part.train, part.val]).sort().values, torch.arange(examples))
    return True


@given(labels, st.integers(2, 12), seeds)
def test_every_example_is_validated_exactly_once(targets, folds, seed):
    targets = torch.tensor(targets)
    parts = kfold(targets, **PLAIN, folds=folds, seed=seed)
    assert whole(parts, len(targets))
    assert torch.equal(torch.cat([p.val for p in parts]).sort().values, torch.arange(len(targets)))
    sizes = sorted(len(part.val) for part in parts)
    splitter = reference.KFold(folds)
    assert sizes == sorted(len(val) for _, val in splitter.split(targets))
    assert [part.name for part in parts] == [f"fold{i}" for i in range(folds)]


@given(labels, st.integers(2, 5), seeds)
def test_stratified_folds_have_equally_many_examples_of_each_class(targets, folds, seed):
    targets = torch.tensor(targets)
    counts = torch.bincount(targets)
    if folds > counts[counts > 0].min():
        with pytest.raises(UserError, match="smallest class"):
            stratified_kfold(targets, **PLAIN, folds=folds, seed=seed)
        return
    parts = stratified_kfold(targets, **PLAIN, folds=folds, seed=seed)
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
    (part,) = holdout(targets, **PLAIN, fraction=fraction, seed=seed)
    assert part.name == "."
    assert whole([part], len(targets))
    assert len(part.val) == round(len(targets) * fraction)
    for label, count in enumerate(torch.bincount(targets).tolist()):
        held = int((targets[part.val] == label).sum())
        assert abs(held - count * len(part.val) / len(targets)) <= 2


@pytest.mark.parametrize("name", SPLITS)
def test_the_same_seed_gives_the_same_split_and_another_seed_another(name):
    split, options = SPLITS[name]
    targets = torch.arange(60) % 3
    groups = torch.arange(60) // 5 if name == "group_kfold" else None

    def draw(seed):
        given = PLAIN | {"groups": groups}
        return torch.cat([part.val for part in split(targets, **given, seed=seed, **options)])

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_a_ready_made_validation_part_is_used_unchanged():
    (part,) = holdout(
        torch.zeros(10).long(), classes=True, ready_val=3, groups=None, fraction=0.5, seed=0
    )
    assert part.val.tolist() == [7, 8, 9]
    assert part.train.tolist() == list(range(7))


def test_fraction_zero_trains_on_everything():
    (part,) = holdout(torch.zeros(10).long(), **PLAIN, fraction=0.0, seed=0)
    assert len(part.train) == 10
    assert len(part.val) == 0


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_a_fraction_that_leaves_an_empty_part_is_refused(fraction):
    with pytest.raises(UserError, match=r"split\.fraction"):
        holdout(torch.zeros(10).long(), **PLAIN, fraction=fraction, seed=0)


def test_more_folds_than_examples_are_refused():
    with pytest.raises(UserError, match=r"split\.folds=5"):
        kfold(torch.zeros(4, 1), classes=False, ready_val=0, groups=None, folds=5, seed=0)


def test_a_regression_cannot_be_stratified():
    with pytest.raises(UserError, match="split=kfold"):
        stratified_kfold(
            torch.zeros(9, 1), classes=False, ready_val=0, groups=None, folds=3, seed=0
        )


@given(labels, seeds)
def test_a_stratified_order_is_a_permutation_whose_every_start_is_stratified(targets, seed):
    targets = torch.tensor(targets)
    order = stratified_order(targets, seed, Purpose.DIVISION)
    assert torch.equal(order.sort().values, torch.arange(len(targets)))
    counts = torch.bincount(targets, minlength=4)
    for size in range(len(targets)):
        held = torch.bincount(targets[order[:size]], minlength=4)
        assert ((held - counts * size / len(targets)).abs() <= 2).all()


def test_a_random_order_is_not_stratified():
    targets = torch.arange(400) % 2
    assert (torch.bincount(targets[random_order(400, 1, Purpose.DIVISION)[:100]]) != 50).any()


@pytest.mark.parametrize("name", ["kfold", "stratified_kfold", "repeated_kfold", "nested"])
def test_a_split_by_single_examples_refuses_groups(name):
    split, options = SPLITS[name]
    given = PLAIN | {"groups": torch.arange(60) // 5}
    with pytest.raises(UserError, match=f"split={name} .*both sides.\nType split=group_kfold"):
        split(torch.arange(60) % 3, **given, seed=0, **options)


@pytest.mark.parametrize("name", ["repeated_kfold", "nested"])
def test_a_stratified_split_of_a_regression_is_refused(name):
    split, options = SPLITS[name]
    options = options | {"stratified": True}
    with pytest.raises(UserError, match=r"Type split\.stratified=false"):
        split(torch.zeros(60, 1), classes=False, ready_val=0, groups=None, seed=0, **options)
