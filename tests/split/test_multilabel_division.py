"""Examples with several classes are divided with the share of every class kept."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.errors import UserError
from dlcourse.multilabel_division import iterative_stratification, multilabel_order
from dlcourse.random_streams import Purpose
from dlcourse.split.holdout import holdout
from dlcourse.split.stratified_kfold import stratified_kfold


def made(examples, seed=0, rare=0.03):
    draw = torch.rand(examples, 4, generator=torch.Generator().manual_seed(seed))
    return (draw < torch.tensor([0.5, 0.3, 0.1, rare])).float()


@settings(max_examples=25, deadline=None)
@given(st.integers(10, 120), st.integers(2, 5), st.integers(0, 1000))
def test_the_parts_have_their_exact_sizes_and_every_example_once(examples, parts, seed):
    sizes = [len(part) for part in torch.arange(examples).tensor_split(parts)]
    found = iterative_stratification(made(examples, seed), sizes, seed, Purpose.DIVISION)
    assert [len(part) for part in found] == sizes
    assert torch.cat(found).sort().values.tolist() == list(range(examples))


def test_every_class_has_its_share_in_every_fold_and_a_random_division_does_not():
    targets = made(1000, rare=0.02)
    expected = targets.sum(0) / 5
    folds = iterative_stratification(targets, [200] * 5, 3, Purpose.DIVISION)
    worst = max(float((targets[fold].sum(0) - expected).abs().max()) for fold in folds)
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(0)).split(200)
    by_chance = max(float((targets[fold].sum(0) - expected).abs().max()) for fold in order)
    assert worst <= 2 < by_chance


def test_the_first_examples_of_an_order_have_every_class_even_a_rare_one():
    targets = made(500, rare=0.02)
    for seed in range(5):
        first = multilabel_order(targets, 100, seed, Purpose.KEPT)[:100]
        assert (targets[first].sum(0) - targets.sum(0) / 5).abs().max() <= 1


def test_the_seed_alone_decides_the_division():
    options = {"classes": True, "ready_val": 0, "groups": None}
    one, same, other = (
        holdout(made(100), **options, fraction=0.2, seed=seed)[0].val for seed in (0, 0, 1)
    )
    assert one.equal(same)
    assert not one.equal(other)


def test_stratified_folds_take_examples_with_several_classes():
    folds = stratified_kfold(made(100), classes=True, ready_val=0, groups=None, folds=5, seed=0)
    assert sorted(torch.cat([fold.val for fold in folds]).tolist()) == list(range(100))
    with pytest.raises(UserError, match=r"split.folds=200"):
        stratified_kfold(made(100), classes=True, ready_val=0, groups=None, folds=200, seed=0)
