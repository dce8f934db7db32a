"""A grid of images with a line of text below each."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.drawing.style import DPI
from dlcourse.drawing.text import LITERAL

TEXT_HEIGHT = 0.17  # inches of a line below an image


def draw_image_grid(
    images: Sequence[np.ndarray | None],
    labels: Sequence[str] = (),
    *,
    columns: int | None = None,
    title: str = "",
    cell: float = 1.2,
    colours: str = "gray",
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw images in rows, each with its label below it.

    images: (H, W) values in the colours of a map, or (H, W, 3) red, green, blue from 0 to 1; None
    leaves a cell empty.
    labels: one for each image, perhaps of several lines; none for no text.
    columns: by default one row of up to 6 images, else as many columns as rows.
    title: above the grid. cell: the side of an image in inches.
    colours: the colour map of images with one channel.
    limits: the values at the ends of the colour map; None for each image's own.
    Raises ValueError without images.
    """
    if not len(images):
        raise ValueError("a grid needs at least one image")
    columns = columns or (len(images) if len(images) <= 6 else math.ceil(len(images) ** 0.5))
    rows = -(-len(images) // columns)
    lines = max((label.count("\n") + 1 for label in labels), default=0)
    head = 0.12 + 0.22 * (title.count("\n") + 1 if title else 0)
    below = 0.06 + TEXT_HEIGHT * lines
    width, height = (cell + 0.08) * columns + 0.1, (cell + below) * rows + head
    if title:
        width = max(width, min(0.085 * max(map(len, title.split("\n"))), 9.0))
    figure = Figure(figsize=(width, height), dpi=DPI)
    side = (width - (cell + 0.08) * columns) / 2
    if title:
        figure.suptitle(title, size=10, y=1 - 0.06 / height, va="top", **LITERAL)
    for number, image in enumerate(images):
        if image is None:
            continue
        row, column = divmod(number, columns)
        left = side + 0.04 + column * (cell + 0.08)
        bottom = height - head - row * (cell + below) - cell
        axes = figure.add_axes(
            (left / width, bottom / height, cell / width, cell / height)
        )  # in shares of the figure
        show_image(axes, image, colours, limits)
        if labels:
            axes.set_xlabel(labels[number], size=8, labelpad=2, **LITERAL)
    return figure


def in_colours(values: np.ndarray, colours: str, low: float, high: float) -> np.ndarray:
    """Return values (H, W) as red, green, blue (H, W, 3) from 0 to 1, in the colours of a map.

    low, high: the values at the ends of the map; values beyond get the colour of the end.
    """
    from matplotlib import colormaps

    share = (values - low) / max(high - low, 1e-30)
    return colormaps[colours](share.clip(0, 1))[..., :3]


def blended(image: np.ndarray, over: np.ndarray, opacity: float | np.ndarray) -> np.ndarray:
    """Return an image (H, W) or (H, W, 3) as grey with another (H, W, 3) laid over it.

    opacity: of the upper image, one number or one for each pixel (H, W), from 0 to 1.
    """
    grey = image if image.ndim == 2 else image.mean(2)
    share = np.broadcast_to(opacity, grey.shape)[..., None]
    return (1 - share) * grey[..., None] + share * over


def show_image(
    axes: Axes,
    image: np.ndarray,
    colours: str = "gray",
    limits: tuple[float, float] | None = None,
) -> None:
    """Show an image (H, W) or (H, W, 3) without ticks; see ``draw_image_grid``."""
    low, high = limits or (None, None)
    axes.imshow(image, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="0.8", linewidth=0.8)
