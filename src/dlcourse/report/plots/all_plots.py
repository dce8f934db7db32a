"""All plots of a report."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from matplotlib.figure import Figure

from dlcourse.report.plots.curves import draw_curves
from dlcourse.report.plots.heat_map import draw_heat_map
from dlcourse.report.plots.importances import draw_importances
from dlcourse.report.plots.learning_rate import draw_learning_rate
from dlcourse.report.plots.levels import diverged_points, usable
from dlcourse.report.plots.main_effects import draw_main_effects
from dlcourse.report.plots.parameters import draw_parameters
from dlcourse.report.points import Point


def plots(
    points: Sequence[Point], keys: Sequence[str], importances: Mapping[str, float]
) -> dict[str, Callable[[], Figure | None]]:
    """Return the functions that draw the plots, by file name without suffix.

    A function returns None if its plot makes no sense for these points.
    """
    some, lost = usable(points), diverged_points(points)
    return {
        "curves": partial(draw_curves, points, keys),
        "main_effects": partial(draw_main_effects, some, keys, lost),
        "heat_map": partial(draw_heat_map, some, keys, lost),
        "learning_rate": partial(draw_learning_rate, some, keys, lost),
        "parameters": partial(draw_parameters, some, keys),
        "importances": partial(draw_importances, importances),
    }
