"""Repeated cross-validation, with an independent permutation per repeat."""

import pytest
import sklearn.model_selection as reference
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.split.kfold import kfold
from dlcourse.split.repeated_kfold import repeated_kfold
from dlcourse.split.stratified_kfold import stratified_kfold

PLAIN = {"classes": True, "ready_val": 0, "groups": None}


def repeated(targets, folds, repeats, seed, stratified=False):
    options = {"folds": folds, "repeats": repeats, "seed": seed, "stratified": stratified}
    return repeated_kfold(targets, **PLAIN, **options)


@given(st.integers(6, 60), st.integers(2, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_every_example_is_validated_once_in_every_repeat(examples, folds, repeats, seed):
    targets = torch.zeros(examples).long()
    parts = repeated(targets, folds, repeats, seed)
    assert [part.name for part in parts] == [f"fold{i}" for i in range(folds * repeats)]
    for repeat in range(repeats):
        own = parts[repeat * folds : (repeat + 1) * folds]
        assert torch.equal(torch.cat([p.val for p in own]).sort().values, torch.arange(examples))
    splitter = reference.RepeatedKFold(n_splits=folds, n_repeats=repeats).split(targets)
    assert [len(part.val) for part in parts] == [len(val) for _, val in splitter]
    for part in parts:
        both = torch.cat([part.train, part.val]).sort().values
        assert torch.equal(both, torch.arange(examples))


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_stratified_folds_have_the_class_counts_of_scikit_learns(more, folds, seed):
    targets = torch.tensor([0, 1, 2] * 4 + more)
    parts = repeated(targets, folds, 2, seed, stratified=True)
    splitter = reference.RepeatedStratifiedKFold(n_splits=folds, n_repeats=2)
    theirs = [targets[torch.from_numpy(val)] for _, val in splitter.split(targets, targets)]
    for label in range(3):
        ours = [int((targets[part.val] == label).sum()) for part in parts]
        assert max(ours) - min(ours) <= 1
        assert sorted(ours) == sorted(int((classes == label).sum()) for classes in theirs)


@pytest.mark.parametrize(("stratified", "once"), [(False, kfold), (True, stratified_kfold)])
def test_the_first_repeat_is_that_of_a_single_cross_validation(stratified, once):
    targets = torch.arange(40) % 2
    single = once(targets, **PLAIN, folds=4, seed=3)
    for part, alone in zip(repeated(targets, 4, 2, 3, stratified), single, strict=False):
        assert torch.equal(part.val, alone.val)


def test_all_repeats_of_several_seeds_differ():
    orders = [
        tuple(part.val.tolist())
        for seed in range(4)
        for part in repeated(torch.zeros(50).long(), 5, 6, seed)
    ]
    assert len(set(orders)) == len(orders) == 120
