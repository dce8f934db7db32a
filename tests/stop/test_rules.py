"""Stopping depends on the scores alone."""

import math

from conftest import options
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.stop.never import never
from dlcourse.stop.patience import patience


def test_every_rule_is_tested():
    assert set(options("stop")) == {"never", "patience", "reached"}  # the last in test_reached.py


@given(st.lists(st.floats(allow_nan=False)))
def test_never_does_not_stop(scores):
    assert never(scores) is False


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.integers(1, 5))
def test_patience_stops_the_given_number_of_epochs_after_the_best(scores, epochs):
    first_best = scores.index(max(scores)) if scores else -1
    ended = len(scores) - 1 - first_best >= epochs
    assert patience(scores, patience=epochs, min_delta=0.0) == ended


def test_an_improvement_of_min_delta_or_less_does_not_count():
    rising = [0.0, 0.05, 0.1, 0.15]
    assert patience(rising, patience=2, min_delta=0.2) is True
    assert patience(rising, patience=2, min_delta=0.09) is False


def test_patience_does_not_stop_before_the_first_epoch():
    assert patience([], patience=1, min_delta=0.0) is False


def test_epochs_without_a_finite_score_do_not_count_as_improvement():
    assert patience([-math.inf] * 3, patience=3, min_delta=0.0) is True
