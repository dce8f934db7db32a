"""A race as its ``race.json`` stores it, and its paths as a figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.schema.untrusted import load_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def read_stored_race(folder: Path) -> dict[str, Any]:
    """Return the content of a race's ``race.json``, as ``write_race.as_json`` makes it."""
    return load_json(folder / "race.json")


def draw_stored_paths(stored: Mapping[str, Any], names: Mapping[str, str], title: str) -> "Figure":
    """Draw some paths of a stored race over its surface, one of dlcourse's own.

    names: the label of a racer -> its name in the legend, in the order of the drawing. Paths that
    leave the window are cut off there. Markers are at equal numbers of steps.
    """
    import numpy as np

    from dlcourse.drawing.style import empty_figure
    from dlcourse.race.grid import grid_of, with_minimum
    from dlcourse.race.plots import draw_start, draw_surface, look_of, marker_interval
    from dlcourse.race.surfaces import SURFACES

    surface = with_minimum(SURFACES[stored["surface"]])
    paths = {one["label"]: np.array(one["path"]) for one in stored["racers"]}
    figure = empty_figure(7.6, 4.6)
    axes = figure.subplots()
    draw_surface(axes, surface, grid_of(surface), surface.lowest or 0.0)
    axes.collections[0].remove()  # the filled areas; the contour lines alone need few colours
    every = marker_interval(max(len(paths[label]) for label in names) - 1)
    for number, (label, name) in enumerate(names.items()):
        axes.plot(*paths[label].T, label=name, zorder=4, markevery=every, **look_of(number))
    draw_start(axes, stored["start"])
    steps = "each step" if every == 1 else f"every {every} steps"
    axes.set_xlabel(f"x     (white circle: start, star: minimum, a marker {steps})")
    axes.set_title(title, loc="left", size=11)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure
