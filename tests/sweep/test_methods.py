"""The methods that list all their points before the first job."""

import itertools
from collections import Counter
from math import log

import pytest
from planning import spaces_of
from scipy import stats

from dlcourse.errors import UserError
from dlcourse.sweep.methods.grid import grid
from dlcourse.sweep.methods.one_at_a_time import one_at_a_time
from dlcourse.sweep.methods.random import random_points
from dlcourse.sweep.methods.zip import zip_lists
from dlcourse.sweep.search_space import Space

LISTS = [
    Space("optim", "", ("sgd", "adam")),
    Space("optim.lr", "", ("0.1", "0.01", "0.001")),
    Space("seed", "", ("7",)),
    Space("batch_size", "", ("32", "64")),
]


def test_a_grid_has_every_combination_and_the_last_key_changes_fastest():
    points = list(grid(LISTS))
    assert points == list(itertools.product(*(space.values for space in LISTS)))
    assert points[:3] == [
        ("sgd", "0.1", "7", "32"),
        ("sgd", "0.1", "7", "64"),
        ("sgd", "0.01", "7", "32"),
    ]
    assert len(points) == 12
    assert list(grid([])) == [()]


def test_zip_pairs_the_lists_and_repeats_a_single_value():
    spaces = [LISTS[0], LISTS[2], LISTS[3]]
    assert list(zip_lists(spaces)) == [("sgd", "7", "32"), ("adam", "7", "64")]
    assert list(zip_lists([LISTS[2]])) == [("7",)]
    assert list(zip_lists([])) == [()]


def test_zip_refuses_lists_of_different_lengths_and_names_them():
    with pytest.raises(UserError, match=r"optim 2, optim\.lr 3, batch_size 2 values"):
        list(zip_lists(LISTS))


def test_one_at_a_time_starts_from_a_base_and_changes_one_key():
    points = list(one_at_a_time(LISTS))
    base = ("sgd", "0.1", "7", "32")
    assert points[0] == base
    assert len(points) == 1 + sum(len(space.values) - 1 for space in LISTS)
    assert len(set(points)) == len(points)
    for point in points[1:]:
        assert sum(one != other for one, other in zip(point, base, strict=True)) == 1
    found = [{point[place] for point in points} for place in range(len(LISTS))]
    assert found == [set(space.values) for space in LISTS]


@pytest.mark.parametrize("method", [grid, zip_lists, one_at_a_time])
def test_a_method_over_lists_refuses_an_interval(method):
    with pytest.raises(UserError, match=r"optim.lr@sgd is an interval.*\nType sweep=random"):
        list(method(spaces_of("seed=1,2", "optim.lr@sgd=interval(0.1,1)")))


WIDE = [
    Space("lr", "", (), 1e-5, 1.0, log=True),
    Space("momentum", "", (), 0.0, 0.9),
    Space("batch_size", "", (), 1, 4, whole=True),
    Space("width", "", (), 1, 64, log=True, whole=True),
    Space("optim", "", ("sgd", "adam", "muon")),
]


def columns(draws, seed=0):
    return list(zip(*random_points(WIDE, draws=draws, seed=seed), strict=True))


def test_the_same_seed_draws_the_same_points_and_another_seed_draws_others():
    assert list(random_points(WIDE, draws=5, seed=1)) == list(random_points(WIDE, draws=5, seed=1))
    assert not set(random_points(WIDE, draws=5, seed=1)) & set(random_points(WIDE, draws=5, seed=2))


def test_more_draws_begin_with_the_same_points():
    few, many = (list(random_points(WIDE, draws=draws, seed=3)) for draws in (7, 20))
    assert (len(few), many[:7]) == (7, few)


def test_the_order_of_the_overrides_does_not_change_the_draws():
    mirrored = [point[::-1] for point in random_points(WIDE[::-1], draws=5, seed=0)]
    assert mirrored == list(random_points(WIDE, draws=5, seed=0))


def test_an_interval_is_drawn_uniformly_on_its_scale():
    rates, momenta, *_ = columns(2000)
    logs = [log(float(rate)) for rate in rates]
    on_log_scale = stats.uniform(log(1e-5), log(1.0) - log(1e-5)).cdf
    assert stats.kstest(logs, on_log_scale).pvalue > 0.01
    assert (
        stats.kstest([float(value) for value in momenta], stats.uniform(0, 0.9).cdf).pvalue > 0.01
    )
    on_wrong_scale = stats.kstest([float(rate) for rate in rates], stats.uniform(0, 1).cdf)
    assert on_wrong_scale.pvalue < 1e-6


def test_whole_numbers_are_drawn_uniformly_including_both_bounds():
    counts = Counter(columns(4000)[2])
    assert counts.keys() == {"1", "2", "3", "4"}
    assert stats.chisquare(list(counts.values())).pvalue > 0.01


def test_whole_numbers_on_a_log_scale_reach_both_bounds_and_are_uniform_in_the_logarithm():
    widths = [int(text) for text in columns(4000)[3]]
    assert {1, 64} <= set(widths)
    assert min(widths) == 1
    assert max(widths) == 64
    below = sum(width <= 6 for width in widths) / len(widths)
    expected = log(6.5 / 0.5) / log(64.5 / 0.5)
    assert abs(below - expected) < 0.03


def test_every_value_of_a_list_is_drawn_equally_often():
    counts = Counter(columns(3000)[4])
    assert counts.keys() == set(WIDE[4].values)
    assert stats.chisquare(list(counts.values())).pvalue > 0.01
