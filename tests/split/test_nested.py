"""Nested cross-validation: the inner folds never contain an example of the outer fold."""

import pytest
import sklearn.model_selection as reference
import torch
from conftest import composed
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.errors import UserError
from dlcourse.schema.validate import check
from dlcourse.split.kfold import kfold
from dlcourse.split.nested import nested

PLAIN = {"classes": True, "ready_val": 0, "groups": None}
LABELS = st.lists(st.integers(0, 1), max_size=40).map(lambda more: torch.tensor([0, 1] * 9 + more))


def all_outer(targets, outer, inner, seed, stratified=False):
    """Return the inner parts of every outer fold."""
    options = {"outer": outer, "inner": inner, "seed": seed, "stratified": stratified}
    return [nested(targets, **PLAIN, **options, fold=fold) for fold in range(outer)]


@given(LABELS, st.integers(2, 3), st.integers(2, 3), st.integers(0, 2**32 - 1), st.booleans())
def test_inner_folds_contain_no_example_of_the_outer_fold(targets, outer, inner, seed, stratified):
    for parts in all_outer(targets, outer, inner, seed, stratified):
        assert [part.name for part in parts] == [f"fold{i}" for i in range(inner)]
        test = parts[0].test
        for part in parts:
            assert torch.equal(part.test, test)
            everything = torch.cat([part.train, part.val, test]).sort().values
            assert torch.equal(everything, torch.arange(len(targets)))
        validated = torch.cat([part.val for part in parts] + [test]).sort().values
        assert torch.equal(validated, torch.arange(len(targets)))


@given(LABELS, st.integers(2, 3), st.integers(2, 3), st.integers(0, 2**32 - 1), st.booleans())
def test_outer_folds_are_disjoint_and_cover_all_examples(targets, outer, inner, seed, stratified):
    tests = [parts[0].test for parts in all_outer(targets, outer, inner, seed, stratified)]
    assert torch.equal(torch.cat(tests).sort().values, torch.arange(len(targets)))
    splitter = reference.StratifiedKFold if stratified else reference.KFold
    theirs = [len(test) for _, test in splitter(outer).split(targets, targets)]
    assert sorted(map(len, tests)) == sorted(theirs)
    if stratified:
        shares = [int(targets[test].sum()) for test in tests]
        assert max(shares) - min(shares) <= 1


def test_the_outer_folds_are_those_of_kfold_and_the_same_in_every_run():
    targets = torch.zeros(30).long()
    expected = [part.val for part in kfold(targets, **PLAIN, folds=3, seed=7)]
    for parts, val in zip(all_outer(targets, 3, 2, 7), expected, strict=True):
        assert torch.equal(parts[0].test, val)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["split.fold=5"], r"split\.fold=5 .*\nType split\.fold=4 or less"),
        (["split.outer=1438"], r"split\.outer=1438 .* 1437 .*\nType split\.outer=1437"),
        (["split.inner=1150"], r"split\.inner=1150 .* 1149 .*outer fold\.\nType split\.inner=1149"),
        (["data=sine", "split.stratified=true"], r"regression .*\nType split\.stratified=false"),
        (["data=csv", "data.group=who"], r"split=nested .* data\.group=who .*\nType split=group"),
    ],
)
def test_impossible_splits_are_refused_before_torch_is_imported(overrides, message):
    with pytest.raises(UserError, match=message):
        check(composed("split=nested", *overrides))


def test_the_checks_and_the_split_allow_the_same_number_of_inner_folds():
    targets = torch.zeros(1437).long()
    check(composed("split=nested", "split.inner=1149"))
    options = {"outer": 5, "fold": 0, "seed": 0, "stratified": False}
    assert len(nested(targets, **PLAIN, **options, inner=1149)) == 1149
    with pytest.raises(UserError, match=r"split\.inner=1150"):
        nested(targets, **PLAIN, **options, inner=1150)
