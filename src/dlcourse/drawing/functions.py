"""Functions of one variable and their derivatives, a panel for each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, MUTED, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, add_legend


class FunctionCurve(NamedTuple):
    """A function's values and derivatives (points,) at ``places``; a jump is a NaN in both.

    formula: shown below the name. note: about the derivative, or empty. surrogate: (points,) the
    gradient that training uses in place of the derivative; None if it uses the derivative.
    """

    name: str
    formula: str
    places: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    note: str = ""
    surrogate: np.ndarray | None = None


def draw_functions(curves: Sequence[FunctionCurve], title: str) -> Figure:
    """Draw f and f' of each function over the same range; few functions are drawn larger."""
    columns = min(len(curves), 3 if len(curves) <= 6 else 5)
    rows = -(-len(curves) // columns)
    width, height = (3.8, 3.2) if columns <= 3 else (2.75, 2.35)
    figure = empty_figure(max(6.0, width * columns), height * rows + 0.9)
    figure.suptitle(title, size=12, **LITERAL)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True)
    lines = {}
    for number, axes in enumerate(panels.flat):
        if number >= len(curves):
            axes.set_axis_off()
            continue
        curve = curves[number]
        axes.axhline(0, color=MUTED, linewidth=0.6)
        axes.axvline(0, color=MUTED, linewidth=0.6)
        (f,) = axes.plot(curve.places, curve.values, color=COLOURS[0], linewidth=2)
        (slope,) = axes.plot(
            curve.places, curve.slopes, color=COLOURS[2], linewidth=1.6, linestyle="--"
        )
        lines |= {"f(x)": f, "f'(x)": slope}
        if curve.surrogate is not None:
            (used,) = axes.plot(
                curve.places, curve.surrogate, color=COLOURS[1], linewidth=1.8, linestyle=":"
            )
            lines["gradient used in training instead of f'(x)"] = used
        axes.set_title(f"{curve.name}\n{curve.formula}", size=9, **LITERAL)
        if curve.note:
            axes.text(
                0.02, 0.97, curve.note, size=7.5, color=COLOURS[2], va="top",
                transform=axes.transAxes, **LITERAL,
            )  # fmt: skip
        axes.set_ylim(-2.2, 2.7)
        axes.tick_params(labelsize=8)
        style_axes(axes)
    for column in range(columns):
        lowest = [axes for axes in panels[:, column] if axes.axison][-1]
        lowest.set_xlabel("x", size=9)
        lowest.tick_params(labelbottom=True)
    named = [(line, name) for name, line in lines.items()]
    add_legend(figure, named, loc="outside lower center", ncols=len(named), frameon=False)
    return figure
