"""No group is divided between training and validation; the folds are as even as scikit-learn's."""

import pytest
import sklearn.model_selection as reference
import torch
from conftest import composed
from hypothesis import assume, given
from hypothesis import strategies as st

from dlcourse.errors import UserError
from dlcourse.permutations import whole_groups
from dlcourse.random_streams import Purpose
from dlcourse.schema.validate import check
from dlcourse.split.group_kfold import group_kfold
from dlcourse.split.holdout import holdout
from dlcourse.split.kfold import kfold

many = st.lists(st.integers(-3, 12), min_size=8, max_size=80)
seeds = st.integers(0, 2**32 - 1)


def grouped(split, groups, **options):
    """Return a split's parts for examples of one class with these groups."""
    targets = torch.zeros(len(groups)).long()
    return split(targets, classes=True, ready_val=0, groups=groups, **options)


def divided(part, groups) -> bool:
    """Return whether a group is in both parts."""
    return bool(torch.isin(groups[part.val], groups[part.train]).any())


@given(many, st.integers(2, 6), seeds)
def test_no_group_is_in_both_parts_and_every_example_is_validated_once(groups, folds, seed):
    groups = torch.tensor(groups)
    assume(len(groups.unique()) >= folds)
    parts = grouped(group_kfold, groups, folds=folds, seed=seed)
    assert [part.name for part in parts] == [f"fold{i}" for i in range(folds)]
    assert torch.equal(torch.cat([p.val for p in parts]).sort().values, torch.arange(len(groups)))
    for part in parts:
        both = torch.cat([part.train, part.val]).sort().values
        assert torch.equal(both, torch.arange(len(groups)))
        assert not divided(part, groups)


@given(many, st.integers(2, 6), seeds)
def test_the_folds_have_the_sizes_of_scikit_learns(groups, folds, seed):
    groups = torch.tensor(groups)
    assume(len(groups.unique()) >= folds)
    parts = grouped(group_kfold, groups, folds=folds, seed=seed)
    splitter = reference.GroupKFold(folds).split(groups, groups=groups.numpy())
    assert [len(part.val) for part in parts] == [len(val) for _, val in splitter]


def test_for_groups_of_different_sizes_the_folds_equal_scikit_learns():
    groups = torch.repeat_interleave(torch.arange(6), torch.tensor([3, 9, 4, 7, 1, 5]))
    parts = grouped(group_kfold, groups, folds=3, seed=5)
    splitter = reference.GroupKFold(3).split(groups, groups=groups.numpy())
    assert [part.val.tolist() for part in parts] == [val.tolist() for _, val in splitter]


def test_the_check_for_divided_groups_finds_those_of_kfold():
    groups = torch.arange(40) // 4
    assert any(divided(part, groups) for part in grouped(
        lambda targets, groups, **more: kfold(targets, groups=None, **more), groups, folds=4, seed=0
    ))  # fmt: skip


def test_more_folds_than_groups_are_refused():
    with pytest.raises(UserError, match=r"split\.folds=4 .* 3 groups .*\nType split\.folds=3"):
        grouped(group_kfold, torch.arange(30) % 3, folds=4, seed=0)


def test_a_split_by_groups_without_groups_is_refused():
    with pytest.raises(UserError, match=r"Type data=csv data\.group=<column>"):
        group_kfold(torch.zeros(9), classes=True, ready_val=0, groups=None, folds=3, seed=0)


@given(many, st.floats(0.2, 0.8), seeds)
def test_a_holdout_takes_whole_groups_up_to_about_its_fraction(groups, fraction, seed):
    groups = torch.tensor(groups)
    assume(len(groups.unique()) >= 2)
    (part,) = grouped(holdout, groups, fraction=fraction, seed=seed)
    assert not divided(part, groups)
    assert torch.equal(torch.cat([part.train, part.val]).sort().values, torch.arange(len(groups)))
    assert 0 < len(part.val) < len(groups)
    largest = int(groups.unique(return_counts=True)[1].max())
    assert abs(len(part.val) - len(groups) * fraction) <= largest


def test_a_holdout_of_one_group_is_refused_unless_its_fraction_is_0():
    one = torch.zeros(10).long()
    with pytest.raises(UserError, match="one group"):
        grouped(holdout, one, fraction=0.2, seed=0)
    (part,) = grouped(holdout, one, fraction=0.0, seed=0)
    assert len(part.val) == 0


def test_another_seed_holds_out_other_groups():
    groups = torch.arange(60) // 3
    drawn = {
        tuple(whole_groups(groups, 20, seed, Purpose.DIVISION)[0].tolist()) for seed in range(5)
    }
    assert len(drawn) == 5
    assert all(len(positions) == 21 for positions in drawn)


@pytest.mark.parametrize("name", ["kfold", "stratified_kfold", "repeated_kfold", "nested"])
def test_a_split_that_would_divide_groups_is_refused_before_torch_is_imported(name):
    message = f"split={name} .*data\\.group=who on both sides\\.\nType split=group_kfold"
    with pytest.raises(UserError, match=message):
        check(composed("data=csv", "data.group=who", f"split={name}"))


@pytest.mark.parametrize("name", ["holdout", "group_kfold"])
def test_a_split_that_keeps_the_groups_of_a_table_passes_the_checks(name):
    check(composed("data=csv", "data.group=who", f"split={name}"))


def test_group_kfold_without_groups_is_refused_before_torch_is_imported():
    with pytest.raises(UserError, match=r"Type data=csv data\.group=<column>"):
        check(composed("split=group_kfold"))
