"""Means, intervals and paired tests are those of the formulas."""

import math

import pytest
from scipy import stats

from dlcourse.report.statistics import Paired, Spread, paired, spread

FIGURES = [0.91, 0.94, 0.92, 0.97]


def test_mean_and_sample_deviation_are_those_on_paper():
    told = spread([1.0, 2.0, 6.0])
    assert (told.n, told.mean) == (3, 3.0)
    assert told.std == pytest.approx(math.sqrt((4 + 1 + 9) / 2))


def test_the_interval_is_students():
    told = spread(FIGURES)
    low, high = stats.t.interval(0.95, 3, loc=told.mean, scale=stats.sem(FIGURES))
    assert (told.low, told.high) == (pytest.approx(low), pytest.approx(high))


def test_the_interval_over_folds_is_wider_by_nadeau_and_bengios_factor():
    plain, corrected = spread(FIGURES), spread(FIGURES, overlap=20 / 80)
    factor = math.sqrt((1 / 4 + 20 / 80) / (1 / 4))
    assert corrected.high - corrected.mean == pytest.approx(factor * (plain.high - plain.mean))
    assert corrected.std == plain.std


def test_a_single_repeat_has_no_interval():
    assert spread([0.5]) == Spread(1, 0.5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_figures_that_are_not_finite_have_no_interval(bad):
    told = spread([0.5, bad, -bad])
    assert math.isnan(told.mean)
    assert told.std is None


def test_the_paired_test_is_scipys():
    first, second = FIGURES, [0.90, 0.95, 0.90, 0.93]
    told = paired([a - b for a, b in zip(first, second, strict=True)])
    expected = stats.ttest_rel(first, second)
    assert told.t == pytest.approx(expected.statistic)
    assert told.p == pytest.approx(expected.pvalue)


def test_the_paired_test_over_folds_is_nadeau_and_bengios():
    differences = [0.01, -0.01, 0.02, 0.04]
    told = paired(differences, overlap=0.25)
    error = math.sqrt((1 / 4 + 0.25) * stats.tvar(differences))
    assert told.t == pytest.approx(0.015 / error)
    assert told.p == pytest.approx(2 * stats.t.sf(0.015 / error, 3))


def test_differences_that_are_all_zero_are_chance():
    assert paired([0.0, 0.0, 0.0]) == Paired(3, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("differences", [[], [0.1], [0.1, 0.1, 0.1]])
def test_there_is_no_test_without_a_spread(differences):
    assert paired(differences).p is None
