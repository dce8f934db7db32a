"""The examples of an epoch: every one once, every class equally often, or in proportion."""

import pytest
import torch
from conftest import composed, options
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.core import Split
from dlcourse.engine.assemble import sampler_of
from dlcourse.errors import UserError
from dlcourse.sampler.repeats import by_weight
from dlcourse.train.rng import epoch_order


def split_of(targets, weights=None):
    return Split(torch.zeros(len(targets), 1), targets, weights=weights)


def sampler(name):
    return sampler_of(composed(f"sampler={name}"))


def test_every_sampler_is_tested_here():
    assert set(options("sampler")) == {"shuffle", "balanced", "weighted"}


def test_shuffle_is_the_order_of_earlier_versions():
    order = sampler("shuffle")(split_of(torch.zeros(50)), 3, 7)
    assert order.equal(epoch_order(50, 3, 7))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=80), st.integers(0, 100))
def test_balanced_draws_every_class_and_its_examples_equally_often_up_to_one(targets, seed):
    targets = torch.tensor(targets)
    order = sampler("balanced")(split_of(targets), seed, 2)
    assert len(order) == len(targets)
    present, counts = targets[order].unique(return_counts=True)
    if len(targets.unique()) <= len(targets):
        assert present.equal(targets.unique())
    assert counts.max() - counts.min() <= 1
    drawn = torch.bincount(order, minlength=len(targets))
    for number in present:
        own = drawn[targets == number]
        assert own.max() - own.min() <= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 10), min_size=2, max_size=40), st.integers(1, 200), st.integers(0, 99))
def test_an_example_is_drawn_as_often_as_its_weight_says_up_to_one(weights, draws, seed):
    weights = torch.tensor([1.0, *weights])
    drawn = by_weight(weights, draws, torch.Generator().manual_seed(seed))
    counts = torch.bincount(drawn, minlength=len(weights)).double()
    expected = weights.double() * draws / weights.double().sum()
    assert len(drawn) == draws
    assert ((counts - expected).abs() < 1 + 1e-6).all()


def test_the_mean_number_of_draws_is_in_proportion_to_the_weights():
    weights = torch.tensor([1.0, 2.0, 3.5, 0.0, 0.25])
    draw = sampler("weighted")
    split = split_of(torch.zeros(5), weights)
    counts = sum(torch.bincount(draw(split, 0, epoch), minlength=5) for epoch in range(4000))
    expected = 5 * weights / weights.sum()
    torch.testing.assert_close(counts / 4000, expected, atol=0.03, rtol=0)


@pytest.mark.parametrize("name", options("sampler"))
def test_the_seed_and_the_epoch_alone_decide(name):
    split = split_of(torch.arange(60) % 3, torch.rand(60))
    orders = [sampler(name)(split, seed, epoch) for seed, epoch in ((0, 1), (0, 1), (0, 2), (1, 1))]
    assert orders[0].equal(orders[1])
    assert not orders[0].equal(orders[2])
    assert not orders[0].equal(orders[3])


def test_balanced_refuses_examples_with_several_classes():
    with pytest.raises(UserError, match="one class for each"):
        sampler("balanced")(split_of(torch.zeros(5, 2)), 0, 0)
