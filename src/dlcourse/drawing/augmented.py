"""Examples of a data set, unchanged and after each of several augmentations."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib import color_sequences, rcParams
from matplotlib.figure import Figure

from dlcourse.drawing.style import DPI
from dlcourse.drawing.text import LITERAL

Batch = tuple[np.ndarray, np.ndarray]
"""Inputs, images (N, C, H, W) from 0 to 255 or points (N, D), and targets (N,) or (N, K)."""


def draw_augmented_images(
    batches: Sequence[Batch], classes: Sequence[str], title: str, columns: Sequence[str] = ()
) -> Figure:
    """Draw a grid of images: a row for each example, a column for each batch, its target below.

    batches: the same examples; the first batch is unchanged. classes: empty for a regression.
    title: a command, wrapped to the width. columns: a heading for each batch.
    """
    rows, count = len(batches[0][0]), len(batches)
    cell = min(max(1.15, batches[0][0].shape[-1] / DPI), 1.6)  # inches
    lines = wrap(title, int(12 * cell * count) + 4)
    below = 2 if any(target.ndim == 2 for _, target in batches) and classes else 1
    head = 0.4 + 0.17 * len(lines)
    width, height = cell * count + 0.1, (cell + 0.16 * below) * rows + head
    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.suptitle("\n".join(lines), family=typewriter(), size=9, y=1 - 0.1 / height, **LITERAL)
    grid = figure.subplots(
        rows, count, squeeze=False,
        gridspec_kw={
            "left": 0.05 / width, "right": 1 - 0.05 / width, "top": 1 - head / height,
            "bottom": 0.16 * below / height, "wspace": 0.06,
            "hspace": 0.06 + 0.17 * below / cell,
        },
    )  # fmt: skip
    headings = columns or headings_of(count, "as it is")
    for column, (images, targets) in enumerate(batches):
        grid[0, column].set_title(headings[column], size=8, **LITERAL)
        for axes, image, target in zip(grid[:, column], images, targets, strict=True):
            pixels = np.rint(image.clip(0, 255)).astype(np.uint8).transpose(1, 2, 0)
            pixels = pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(target_text(target, classes), size=7, labelpad=2, **LITERAL)
            for spine in axes.spines.values():
                spine.set(color="tab:blue" if column == 0 else "0.8", linewidth=1.5 - (column > 0))
    return figure


def draw_augmented_points(batches: Sequence[Batch], classes: Sequence[str], title: str) -> Figure:
    """Draw a panel for each batch: two features coloured by target, or one against the target."""
    columns = min(3, len(batches))
    rows = -(-len(batches) // columns)
    figure = Figure(figsize=(3 * columns + 0.5, 3 * rows + 0.6), dpi=DPI, layout="constrained")
    figure.suptitle("\n".join(wrap(title, 36 * columns)), family=typewriter(), size=9, **LITERAL)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    palette = np.array(color_sequences["tab10"])
    headings = headings_of(len(batches), "as they are")
    for number, axes in enumerate(panels.flat):
        if number >= len(batches):
            axes.set_axis_off()
            continue
        features, targets = batches[number]
        values = targets if targets.ndim == 1 else targets[:, -1]
        second = values if features.shape[1] == 1 else features[:, 1]
        color = "tab:blue" if features.shape[1] == 1 else values
        if classes:  # mixed classes get a mixed colour
            shares = targets if targets.ndim == 2 else np.eye(len(classes))[targets]
            color = (shares @ palette[np.arange(len(classes)) % 10]).clip(0, 1)
        axes.scatter(features[:, 0], second, s=6, c=color)
        axes.set_title(headings[number], size=9)
    names = ("x", "t") if features.shape[1] == 1 else ("feature 1", "feature 2")
    figure.supxlabel(names[0], size=9)
    figure.supylabel(names[1], size=9)
    return figure


def headings_of(batches: int, first: str) -> list[str]:
    """Return the headings of unchanged examples and of the draws after them."""
    return [first, *(f"draw {number}" for number in range(1, batches))]


def typewriter() -> list[str]:
    """Return the font families of a command: monospace, then others for missing characters."""
    return ["monospace", *rcParams["font.family"]]


def target_text(target: np.ndarray, classes: Sequence[str]) -> str:
    """Name a class, the shares of mixed classes, or the values of a regression."""
    if not classes:
        values = target.flatten().tolist()
        return " ".join(f"{value:.3g}" for value in values) if len(values) <= 3 else ""
    if not np.issubdtype(target.dtype, np.floating):
        return classes[int(target)]
    largest = np.argsort(-target, kind="stable")[:2]
    return "\n".join(
        f"{classes[number]} ({target[number]:.0%})" for number in largest if target[number] >= 0.005
    )
