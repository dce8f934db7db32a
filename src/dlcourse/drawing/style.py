"""The style of all plots: colours that the colour-blind can tell apart, clean axes, sizes.

Text is readable when projected: 9 points or more in a figure 5 to 9 inches wide.
"""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # the colours are used without matplotlib as well, which is slow to import
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#717581", "#a96b59", "#e76300", "#92dadd",
    "#b9ac70", "#94a4a2",
)  # fmt: skip
"""Ten colours. Reference: Petroff, "Accessible color sequences for data visualization", 2021."""

DASHES = ("-", "--", "-.", ":")
TRAIN, VAL, BEST = COLOURS[0], COLOURS[1], COLOURS[2]
"""The colours of the training part, of the validation part, and of the best epoch."""

MUTED = "#717581"
"""The colour of notes and of lines in the background."""

FAINT = "#c9cdd2"
"""The colour of many curves of which a few others are of interest."""

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
"""Colour maps: of magnitudes, and of values on both sides of 0, which is white."""

DPI = 150
MOST_IN_LEGEND = 12  # classes
MOST_POINTS = 500  # examples of one part of the data that are drawn; more hide each other


def empty_figure(width: float, height: float) -> "Figure":
    """Return an empty figure; width and height are in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def style_axes(*several: "Axes", grid: Literal["both", "x", "y"] = "both") -> None:
    """Remove the frame at the top and on the right, and draw a light grid behind the data."""
    for axes in several:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis=grid, color="#eceef0")
        axes.set_axisbelow(True)


def line_look(number: int) -> dict[str, Any]:
    """Return the colour and the dash of the curve with this number, from 0.

    40 curves differ: ten colours, and after them the same ones with another dash.
    """
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[(number + number // len(COLOURS)) % len(DASHES)],
    }


def evenly(count: int, most: int) -> "np.ndarray":
    """Return the positions of at most ``most`` of ``count`` examples, evenly spaced."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
