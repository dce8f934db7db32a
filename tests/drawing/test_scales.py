"""Numbers on axes are round, and labels are moved apart."""

from itertools import pairwise

import pytest

from dlcourse.drawing.scales import distinct_labels, log_ticks, spread_out


@pytest.mark.parametrize("heights", [[0.5] * 5, [0, 0, 0.02, 1, 1], [0.9, 0.1, 0.5], [0.3] * 30])
def test_labels_are_moved_apart_and_keep_their_order(heights):
    moved = spread_out(heights, 0.05)
    order = sorted(range(len(heights)), key=lambda number: (heights[number], moved[number]))
    placed = [moved[number] for number in order]
    gaps = [after - before for before, after in pairwise(placed)]
    assert min(gaps) >= 0.05 - 1e-9
    assert len(heights) > 20 or (min(placed) >= 0 and max(placed) <= 1)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.02, 300, [0.1, 1, 10, 100]), (1e-9, 1e9, None), (0.2, 0.9, None), (1, 1, None)],
)
def test_a_logarithmic_axis_has_two_to_six_numbers(low, high, expected):
    found = log_ticks(low, high, 6)
    assert expected is None or found == pytest.approx(expected)
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in found)
    assert len(found) <= 7
    assert low == high or len(found) >= 2


def test_labels_that_are_equal_after_shortening_get_their_number():
    names = ["short", "a long name of a model", "a long name of a layer", "another long name"]
    assert distinct_labels(names, 14) == [
        "short",
        "2 a long name",
        "3 a long name",
        "another long …",
    ]
    assert max(map(len, distinct_labels(names, 14))) <= 14
