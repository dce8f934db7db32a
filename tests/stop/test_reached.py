"""Stopping at a value of the monitored metric."""

from dlcourse.stop.reached import reached


def test_it_stops_once_the_value_is_reached_in_the_direction_of_the_mode():
    assert not reached([], value=0.9, mode="max")
    assert not reached([0.89], value=0.9, mode="max")
    assert reached([0.5, 0.9], value=0.9, mode="max")
    assert reached([-0.5, -0.01], value=0.01, mode="min")  # the scores of losses are negative
    assert not reached([-0.5], value=0.01, mode="min")
