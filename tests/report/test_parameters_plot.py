"""The plot of a metric over the number of parameters."""

import numpy as np
import pytest
from run_folders import held_out, write_run

from dlcourse.report.plots.parameters import draw_parameters
from dlcourse.report.points import group_points
from dlcourse.report.runs import find_runs


def points_of(folder, sizes):
    """Return points whose test accuracy is 0.5 and whose training accuracy is 1, by size."""
    for size in sizes:
        ending = held_out(0.6, 0.5, train={"accuracy": 1.0}) | {"parameters": size}
        write_run(folder / str(size), f"model.width={size}", ending=ending)
    return group_points(find_runs([folder]))


def test_each_point_is_drawn_at_its_number_of_parameters(tmp_path):
    figure = draw_parameters(points_of(tmp_path, (1000, 10, 100)), ["model.width"])
    (axes,) = figure.axes
    test, training = (np.asarray(dots.get_offsets()) for dots in axes.collections)
    assert test.tolist() == [[10, 0.5], [100, 0.5], [1000, 0.5]]
    assert training[:, 1].tolist() == [1.0] * 3
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["width=10", "width=100", "width=1000"]
    assert "10" in axes.get_title(loc="left")


@pytest.mark.parametrize("sizes", [(10,), (10, 100)])
def test_fewer_than_three_sizes_make_no_plot(tmp_path, sizes):
    assert draw_parameters(points_of(tmp_path, sizes), ["model.width"]) is None
