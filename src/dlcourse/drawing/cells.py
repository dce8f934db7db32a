"""Grids of cells with numbers: the windows of a convolution, its matrix, overlaps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dlcourse.drawing.style import COLOURS, DPI, MUTED, SEQUENTIAL, empty_figure
from dlcourse.drawing.text import LITERAL

CELL = 0.34  # inches


def draw_windows(
    seen: np.ndarray, values: np.ndarray | None, padding: int, title: str, most: int = 6
) -> Figure:
    """Draw a panel for each output of a convolution with the cells of the padded map it sees.

    seen: (H', W', H, W) booleans over the padded map. values: (H, W) numbers in the cells, or None.
    padding: the width of the border, whose cells are grey. most: rows and columns of outputs
    that are drawn.
    """
    rows, columns = min(most, seen.shape[0]), min(most, seen.shape[1])
    height, width = seen.shape[2:]
    cell = min(CELL, 1.8 / width)
    figure = Figure(
        figsize=(max(6.5, columns * (cell * width + 0.35) + 0.4),
                 rows * (cell * height + 0.45) + 0.7),
        dpi=DPI, layout="constrained",
    )  # fmt: skip
    figure.suptitle(title, size=11, **LITERAL)
    panels = figure.subplots(rows, columns, squeeze=False)
    for (row, column), axes in np.ndenumerate(panels):
        for y, x in np.ndindex(height, width):
            outside = min(y, x, height - 1 - y, width - 1 - x) < padding
            inside = bool(seen[row, column, y, x])
            axes.add_patch(Rectangle(
                (x, y), 1, 1, edgecolor=MUTED, linewidth=0.7,
                facecolor=COLOURS[1] if inside else "#dfe2e6" if outside else "white",
                alpha=0.9,
            ))  # fmt: skip
            if values is not None and cell >= 0.2:
                axes.text(x + 0.5, y + 0.5, f"{values[y, x]:g}", size=8, ha="center", va="center")
        axes.set_title(f"output {row + 1}, {column + 1}", size=8)
        frame_cells(axes, height, width)
    return figure


def frame_cells(axes: Axes, height: int, width: int) -> None:
    """Show a grid of unit squares with row 0 at the top and no ticks."""
    axes.set(xlim=(-0.05, width + 0.05), ylim=(height + 0.05, -0.05), xticks=[], yticks=[])
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)


def draw_product(matrix: np.ndarray, vector: np.ndarray, result: np.ndarray, title: str) -> Figure:
    """Draw a matrix (M, N) times a vector (N,) = a vector (M,), with every number in its cell."""
    height, width = max(matrix.shape[0], len(vector)), matrix.shape[1]
    figure = Figure(
        figsize=(CELL * (width + 5.5) + 0.6, CELL * height + 0.9), dpi=DPI, layout="constrained"
    )
    figure.suptitle(title, size=11, **LITERAL)
    axes = figure.subplots()
    number_cells(axes, matrix, 0, (height - len(matrix)) / 2, shaded=True)
    number_cells(axes, vector[:, None], width + 1, (height - len(vector)) / 2)
    number_cells(axes, result[:, None], width + 4, (height - len(result)) / 2)
    for place, sign in ((width + 0.5, "x"), (width + 3, "=")):
        axes.text(place, height / 2, sign, size=14, ha="center", va="center")
    frame_cells(axes, height, int(width + 5.6))
    return figure


def number_cells(
    axes: Axes, numbers: np.ndarray, left: float, top: float, *, shaded: bool = False
) -> None:
    """Draw numbers (rows, columns) in squares; shaded: those other than 0 have a colour."""
    for row, column in np.ndindex(numbers.shape):
        number = numbers[row, column]
        full = shaded and number != 0
        axes.add_patch(Rectangle(
            (left + column, top + row), 1, 1, edgecolor=MUTED, linewidth=0.6,
            facecolor="#cfe3f6" if full else "white",
        ))  # fmt: skip
        axes.text(
            left + column + 0.5, top + row + 0.5, f"{number:.4g}", size=8, ha="center",
            va="center", color="black" if full or not shaded else MUTED,
        )  # fmt: skip


def draw_overlaps(counts: Sequence[np.ndarray], names: Sequence[str], title: str) -> Figure:
    """Draw for each transposed convolution how many inputs reach each output, with numbers."""
    side = max(len(one) for one in counts)
    cell = min(0.3, 4.0 / side)
    figure = empty_figure(max(6.5, len(counts) * (cell * side + 0.7)), cell * side + 1.2)
    figure.suptitle(title, size=11, **LITERAL)
    highest = max(int(one.max()) for one in counts)
    for axes, one, name in zip(
        figure.subplots(1, len(counts), squeeze=False)[0], counts, names, strict=True
    ):
        axes.imshow(one, cmap=SEQUENTIAL, vmin=0, vmax=highest, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.set_title(name, size=9, **LITERAL)
        for y, x in np.ndindex(one.shape):
            if cell >= 0.18:
                colour = "black" if one[y, x] > highest / 2 else "white"
                axes.text(x, y, int(one[y, x]), size=7.5, ha="center", va="center", color=colour)
    return figure
