"""Examples with several classes: those that are missed, and those that are wrongly predicted."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import BEST, COLOURS, DPI, empty_figure
from dlcourse.drawing.text import LITERAL, shortened, value_label

ClassTexts = tuple[str, str, str]
"""The classes of an example, those that are missed and those that are wrongly predicted."""

IMAGES_ACROSS, SIDE_OF_IMAGE, IMAGE_GAP = 5, 1.5, 0.1  # of the grid of images; inches
HEIGHT_OF_LINE, LONGEST_LINE = 0.16, 25  # inches of a line of text; its letters
FEATURES_IN_LINE = 4


def draw_image_labels(
    images: Sequence[np.ndarray], labels: Sequence[ClassTexts], title: str
) -> Figure:
    """Draw images with their classes below them: all, missed (red) and wrongly predicted (blue).

    images: (H, W) in grey or (H, W, 3) red, green, blue from 0 to 1.
    """
    step, below = SIDE_OF_IMAGE + IMAGE_GAP, SIDE_OF_IMAGE + 3 * HEIGHT_OF_LINE + IMAGE_GAP
    head = 0.3
    width, height = (
        IMAGES_ACROSS * step + IMAGE_GAP,
        -(-len(images) // IMAGES_ACROSS) * below + head,
    )
    figure = Figure(figsize=(width, height), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for number, (image, own) in enumerate(zip(images, labels, strict=True)):
        row, column = divmod(number, IMAGES_ACROSS)
        left, top = IMAGE_GAP + column * step, height - head - row * below
        place = (left, left + SIDE_OF_IMAGE, top - SIDE_OF_IMAGE, top)
        axes.imshow(image, cmap="gray", extent=place, interpolation="nearest")
        for line, (text, colour) in enumerate(coloured_lines(own)):
            place_of_line = left, top - SIDE_OF_IMAGE - 0.03 - line * HEIGHT_OF_LINE
            axes.text(*place_of_line, text, va="top", size=8, color=colour, **LITERAL)
    axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")
    figure.suptitle(value_label(title, 100), size=10, y=1 - 0.08 / height, va="top", **LITERAL)
    return figure


def draw_row_labels(
    rows: np.ndarray, features: Sequence[str], labels: Sequence[ClassTexts], title: str
) -> Figure:
    """Draw rows of a table (n, D) as lines of text: their first features, and their classes."""
    figure = empty_figure(9.5, 0.8 + 0.22 * len(rows))
    axes = figure.add_subplot(xlim=(0, 1), ylim=(len(rows), -1))
    axes.axis("off")
    for number, (row, own) in enumerate(zip(rows, labels, strict=True)):
        pairs = list(zip(features, row, strict=False))[:FEATURES_IN_LINE]
        values = ", ".join(f"{shortened(name, 12)} {value:.4g}" for name, value in pairs)
        axes.text(0, number, values, size=8, va="center", **LITERAL)
        for place, (text, colour) in zip((0.4, 0.6, 0.8), coloured_lines(own), strict=False):
            axes.text(place, number, text, size=8, va="center", color=colour, **LITERAL)
    figure.suptitle(title, size=10, x=0.01, ha="left", **LITERAL)
    return figure


def coloured_lines(labels: ClassTexts) -> list[tuple[str, str]]:
    """Return the lines of text of an example with their colours."""
    own, missed, wrong = labels
    lines = [(shortened(own, LONGEST_LINE), "black")]
    if missed != "none":
        lines.append((shortened(f"missed: {missed}", LONGEST_LINE), BEST))
    if wrong != "none":
        lines.append((shortened(f"wrong: {wrong}", LONGEST_LINE), COLOURS[0]))
    return lines
