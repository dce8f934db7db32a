"""Means, intervals and paired tests agree with the formulas."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlcourse.report.confidence import Estimate, PairedTest, between, estimate, paired_t_test
from dlcourse.schema.facts import range_of, ranges

VALUES = [0.91, 0.94, 0.92, 0.97]


def test_mean_and_sample_deviation_agree_with_a_calculation_by_hand():
    result = estimate([1.0, 2.0, 6.0])
    assert (result.n, result.mean) == (3, 3.0)
    assert result.std == pytest.approx(math.sqrt((4 + 1 + 9) / 2))


def test_the_interval_is_that_of_students_t_distribution():
    result = estimate(VALUES)
    low, high = stats.t.interval(0.95, 3, loc=result.mean, scale=stats.sem(VALUES))
    assert (result.low, result.high) == (pytest.approx(low), pytest.approx(high))


def test_the_interval_over_folds_is_wider_by_nadeau_and_bengios_factor():
    plain, corrected = estimate(VALUES), estimate(VALUES, overlap=20 / 80)
    factor = math.sqrt((1 / 4 + 20 / 80) / (1 / 4))
    assert corrected.high - corrected.mean == pytest.approx(factor * (plain.high - plain.mean))
    assert corrected.std == plain.std


def test_a_single_repeat_has_no_interval():
    assert estimate([0.5]) == Estimate(1, 0.5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_have_no_interval(bad):
    result = estimate([0.5, bad, -bad])
    assert math.isnan(result.mean)
    assert result.std is None


def test_the_paired_test_agrees_with_scipy():
    first, second = VALUES, [0.90, 0.95, 0.90, 0.93]
    result = paired_t_test([a - b for a, b in zip(first, second, strict=True)])
    expected = stats.ttest_rel(first, second)
    assert result.t == pytest.approx(expected.statistic)
    assert result.p == pytest.approx(expected.pvalue)


def test_the_paired_test_over_folds_is_that_of_nadeau_and_bengio():
    differences = [0.01, -0.01, 0.02, 0.04]
    result = paired_t_test(differences, overlap=0.25)
    error = math.sqrt((1 / 4 + 0.25) * stats.tvar(differences))
    assert result.t == pytest.approx(0.015 / error)
    assert result.p == pytest.approx(2 * stats.t.sf(0.015 / error, 3))


def test_differences_that_are_all_zero_have_a_p_value_of_1():
    assert paired_t_test([0.0, 0.0, 0.0]) == PairedTest(3, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("differences", [[], [0.1], [0.1, 0.1, 0.1]])
def test_too_few_or_equal_differences_have_no_p_value(differences):
    assert paired_t_test(differences).p is None


@pytest.mark.parametrize("n", [2, 3])
def test_two_or_three_repeats_have_a_standard_deviation_and_no_interval(n):
    result = estimate(VALUES[:n], limits=(0, 1))
    assert (result.low, result.high) == (None, None)
    assert result.std is not None
    assert result.values == tuple(VALUES[:n])


def test_the_interval_of_a_share_is_wilsons_for_the_same_standard_error():
    t = stats.t.ppf(0.975, 4)
    for right, total in ((36, 40), (39, 40), (20, 40)):
        share = right / total
        half = t * math.sqrt(share * (1 - share) / total)
        level = 2 * stats.norm.cdf(t) - 1
        theirs = stats.binomtest(right, total).proportion_ci(level, method="wilson")
        ours = between(share, half, [share], (0, 1))
        assert ours == (pytest.approx(theirs.low), pytest.approx(theirs.high))
        double = between(2 * share, 2 * half, [share], (0, 2))
        assert double == (pytest.approx(2 * theirs.low), pytest.approx(2 * theirs.high))


@given(
    st.sampled_from([(0, 1), (0, None), (None, 1), (0, 2)]),
    st.lists(st.floats(0, 1), min_size=4, max_size=12),
    st.floats(0, 1),
)
def test_an_interval_stays_within_the_limits_and_contains_the_mean(limits, values, overlap):
    result = estimate(values, overlap, limits)
    low, high = (math.inf * (-1, 1)[i] if limits[i] is None else limits[i] for i in (0, 1))
    slack = 1e-12
    assert low <= result.low <= result.mean + slack
    assert result.mean - slack <= result.high <= high


def test_an_interval_without_limits_would_exceed_them():
    values = [1.0, 1.0, 1.0, 0.9]
    assert estimate(values).high > 1  # the control
    assert estimate(values, limits=(0, 1)).high <= 1
    assert estimate([0.01, 0.02, 0.5, 0.01]).low < 0
    assert estimate([0.01, 0.02, 0.5, 0.01], limits=(0, None)).low > 0


def test_far_from_the_limits_the_interval_is_almost_students():
    values = [0.5, 0.51, 0.49, 0.505, 0.495]
    limited, free = estimate(values, limits=(0, 1)), estimate(values)
    assert limited.low == pytest.approx(free.low, abs=1e-5)
    assert limited.high == pytest.approx(free.high, abs=1e-5)


def test_limits_are_ignored_if_a_value_is_outside_of_them():
    values = [-1.0, 2.0, 0.5, 0.3]
    assert estimate(values, limits=(0, None)) == estimate(values)


def test_every_metric_has_a_known_range():
    assert ranges().keys() == {
        "loss", "accuracy", "top_k", "precision", "recall", "f1", "average_precision", "ece", "mce",
        "brier", "rmse", "noise_std", "beta", "r2", "balanced_accuracy", "kappa", "matthews",
        "auroc", "mae", "mape", "exact_match", "label_accuracy", "f1_macro", "f1_micro",
        "f1_samples",
    }  # fmt: skip
    assert range_of("val/r2") == (None, 1)
    assert range_of("val/of_my_own") == (None, None)
