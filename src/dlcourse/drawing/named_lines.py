"""Lines of which each is named at its right end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dlcourse.drawing.scales import spread_out
from dlcourse.drawing.style import line_look, style_axes
from dlcourse.drawing.text import LITERAL

NAME_GAP = 0.06  # between two names, as a share of the height of the axes


def draw_named_lines(
    axes: Axes, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], **look: Any
) -> None:
    """Draw a line for each name, and the names on the right, each at the height of its line's end.

    lines: the name -> (x, y); values that are not finite leave gaps. look: options of every line,
    such as ``marker="o"``. Scales and limits of the axes have to be set before.
    """
    drawn = []
    for number, (x, y) in enumerate(lines.values()):
        shown = np.where(np.isfinite(np.asarray(y, float)), np.asarray(y, float), np.nan)
        drawn += axes.plot(x, shown, **{"linewidth": 1.9, **line_look(number), **look})
    style_axes(axes)
    write_names(axes, dict(zip(lines, drawn, strict=True)))


def write_names(axes: Axes, lines: Mapping[str, Line2D]) -> None:
    """Write the name of each line on the right of the axes, at the height of the line's end.

    Names that would overlap are moved apart; a sample of the line is in front of each.
    """
    axes.set_ylim(*axes.get_ylim())  # what is drawn below changes it no more
    heights = [end_height(axes, np.asarray(line.get_ydata(), float)) for line in lines.values()]
    places = spread_out(heights, NAME_GAP)
    for (name, line), height in zip(lines.items(), places, strict=True):
        look: dict[str, Any] = {"color": line.get_color(), "linestyle": line.get_linestyle()}
        at: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False}
        axes.plot([1.02, 1.07], [height] * 2, linewidth=1.9, **look, **at)
        axes.text(1.085, height, name, va="center", size=9, **at, **LITERAL)


def end_height(axes: Axes, values: np.ndarray) -> float:
    """Return the height of a line's last value, a share of the height of the axes from 0 to 1."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 1.0
    pixels = axes.transData.transform([(1, finite[-1])])[0]
    return float(np.clip(axes.transAxes.inverted().transform([pixels])[0][1], 0, 1))
