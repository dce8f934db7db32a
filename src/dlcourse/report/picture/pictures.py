"""All pictures of a report."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from dlcourse.report.picture.heat_map import draw_heat_map
from dlcourse.report.picture.importances import draw_importances
from dlcourse.report.picture.learning_rate import draw_learning_rate
from dlcourse.report.picture.levels import usable
from dlcourse.report.picture.main_effects import draw_main_effects
from dlcourse.report.points import Point


def pictures(
    points: Sequence[Point], keys: Sequence[str], importances: Mapping[str, float]
) -> dict[str, Figure]:
    """Return the pictures that make sense, by the names of their files."""
    some = usable(points)
    drawn = {
        "main_effects.png": draw_main_effects(some, keys),
        "heat_map.png": draw_heat_map(some, keys),
        "learning_rate.png": draw_learning_rate(some, keys),
        "importances.png": draw_importances(importances),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}
