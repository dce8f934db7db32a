"""The style of all plots: colours that the colour-blind can tell apart, and clean axes."""

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#717581", "#a96b59", "#e76300", "#92dadd",
    "#b9ac70", "#94a4a2",
)  # fmt: skip
"""Ten colours. Reference: Petroff, "Accessible color sequences for data visualization", 2021."""

DASHES = ("-", "--", "-.", ":")
DPI = 150


def empty_figure(width: float, height: float) -> Figure:
    """Return an empty figure; width and height are in inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def style_axes(*several: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Remove the frame at the top and on the right, and draw a light grid behind the data."""
    for axes in several:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis=grid, color="#eceef0")
        axes.set_axisbelow(True)
