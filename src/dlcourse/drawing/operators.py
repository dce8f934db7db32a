"""The time of the operators in a profile."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from dlcourse.drawing.style import empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, shortened

LONGEST_OPERATOR = 44  # characters of its name


def draw_operators(milliseconds: Mapping[str, float]) -> Figure:
    """Draw a bar for each operator, the largest on top. milliseconds: per step, by name."""
    figure = empty_figure(8, 0.32 * len(milliseconds) + 1.2)
    axes = figure.subplots()
    names = [shortened(name, LONGEST_OPERATOR) for name in milliseconds]
    places = range(len(names))
    axes.barh(places, list(milliseconds.values()), height=0.7)
    axes.set_yticks(places, names)
    for text in axes.get_yticklabels():
        text.set(**LITERAL)
    axes.invert_yaxis()
    axes.set_xlabel("ms of a training step in the operator itself")
    axes.set_title("Where the time of a step goes")
    style_axes(axes)
    return figure
