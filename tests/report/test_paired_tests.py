"""Tests of two models on the same examples, compared with the formulas by hand."""

from itertools import product
from math import comb, erfc, sqrt

import numpy as np
import pytest

from dlcourse.report.comparison.paired_tests import compare_errors, mcnemar
from dlcourse.report.comparison.text import errors_text, mcnemar_text


def judged(both, only_a, only_b, neither):
    """Return which of the examples A and B classify correctly."""
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a), np.array(b)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (0, 5), (12, 12), (3, 9), (20, 4)])
def test_few_discordant_examples_get_the_exact_binomial_probability(only_a, only_b):
    n, fewer = only_a + only_b, min(only_a, only_b)
    by_hand = min(1.0, 2 * sum(comb(n, k) for k in range(fewer + 1)) / 2**n)
    test = mcnemar(*judged(7, only_a, only_b, 2))
    assert test.p == pytest.approx(by_hand, rel=1e-12)
    assert test.statistic is None
    assert (test.both, test.only_a, test.only_b, test.neither, test.n) == (
        7,
        only_a,
        only_b,
        2,
        n + 9,
    )


def test_many_discordant_examples_get_the_corrected_chi_squared_of_mcnemar():
    test = mcnemar(*judged(900, 12, 31, 57))
    by_hand = (abs(12 - 31) - 1) ** 2 / (12 + 31)
    assert test.statistic == pytest.approx(by_hand)
    assert test.p == pytest.approx(erfc(sqrt(by_hand / 2)), rel=1e-9)  # one degree of freedom
    assert "B is right on 31 test examples where A is wrong, A on 12" in mcnemar_text(test)
    assert "p = 0.0061, so B is better on this test part" in mcnemar_text(test)
    assert mcnemar(*judged(0, 15, 15, 0)).p == 1.0


def test_a_small_difference_is_no_proof_and_equal_models_have_none():
    few = mcnemar_text(mcnemar(*judged(50, 2, 1, 0)))
    assert "A is right on 2 test examples where B is wrong, B on 1" in few
    assert "does not show that one is better" in few
    none = mcnemar_text(mcnemar(*judged(50, 0, 0, 4)))
    assert none == "A and B are right on the same 50 of 54 test examples."


def test_errors_of_regressions_get_the_exact_signed_rank_probability():
    random = np.random.default_rng(0)
    error_a = random.uniform(0, 1, 9)
    error_b = error_a + random.normal(0.2, 0.3, 9)
    differences = error_b - error_a
    ranks = np.abs(differences).argsort().argsort() + 1
    positive = ranks[differences > 0].sum()
    sums = [sum(rank for rank, sign in zip(range(1, 10), signs, strict=True) if sign)
            for signs in product((False, True), repeat=9)]  # fmt: skip
    tail = min(np.mean([s <= positive for s in sums]), np.mean([s >= positive for s in sums]))
    found = compare_errors(error_a, error_b)
    assert found.p == pytest.approx(min(1.0, 2 * tail))
    assert found.better == ("A" if positive > ranks.sum() / 2 else "B")
    assert found.difference.mean == pytest.approx(differences.mean())
    half = 2.306004135204166 * differences.std(ddof=1) / 3  # Student's t, 8 degrees of freedom
    assert found.difference.low == pytest.approx(differences.mean() - half)
    assert found.closer_a + found.closer_b == 9
    assert f"A is closer on {found.closer_a} of 9 test examples" in errors_text(found)


def test_equal_errors_show_no_difference():
    found = compare_errors(np.ones(5), np.ones(5))
    assert (found.p, found.closer_a, found.closer_b) == (1.0, 0, 0)
    assert "does not show" in errors_text(found)
