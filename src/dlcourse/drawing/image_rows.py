"""Rows of images, each row with its name on the left."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.image_grid import TEXT_HEIGHT, show_image
from dlcourse.drawing.style import DPI
from dlcourse.drawing.text import LITERAL

ROW_GAP = 0.06  # inches between two images


def draw_image_rows(
    rows: Mapping[str, Sequence[np.ndarray | None]],
    titles: Sequence[str] = (),
    *,
    title: str = "",
    cell: float = 0.75,
    name_width: float = 1.5,
    colours: str = "gray",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw rows of images with the name of each row on the left.

    rows: the images of each row, (H, W) values or (H, W, 3) red, green, blue from 0 to 1; None
    leaves a cell empty. A name may have several lines.
    titles: above the columns, one line each. title: above all.
    cell: the side of an image in inches. name_width: of the names, in inches.
    colours, limits: the colour map of images with one channel and the values at its ends.
    Raises ValueError without images.
    """
    columns = max((len(images) for images in rows.values()), default=0)
    if columns == 0:
        raise ValueError("rows need at least one image")
    step = cell + ROW_GAP
    head = 0.08 + (0.24 * (title.count("\n") + 1) if title else 0) + (TEXT_HEIGHT if titles else 0)
    width, height = name_width + step * columns + 0.1, head + step * len(rows) + 0.04
    figure = Figure(figsize=(width, height), dpi=DPI)
    if title:
        figure.suptitle(title, size=10, y=1 - 0.06 / height, va="top", **LITERAL)
    for row, (name, images) in enumerate(rows.items()):
        bottom = height - head - step * row - cell
        figure.text(
            (name_width - 0.08) / width, (bottom + cell / 2) / height, name,
            size=9, ha="right", va="center", **LITERAL,
        )  # fmt: skip
        for column, image in enumerate(images):
            if image is None:
                continue
            left = name_width + step * column
            place = (left / width, bottom / height, cell / width, cell / height)
            axes = figure.add_axes(place)  # in shares of the figure
            show_image(axes, image, colours, limits)
            if row == 0 and titles:
                axes.set_title(titles[column], size=8, pad=2, **LITERAL)
    return figure
