"""The worst predictions: images, rows of a table, points, or residuals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.style import (
    BEST,
    DIVERGING,
    DPI,
    FAINT,
    MOST_IN_LEGEND,
    MOST_POINTS,
    MUTED,
    empty_figure,
    evenly,
    line_look,
    style_axes,
)
from dlcourse.drawing.text import LITERAL, add_legend, class_labels, shortened, value_label

Mistake = tuple[int, int, int, float, float]
"""Position, true class, predicted class, probability of the true and of the predicted class."""

COLUMNS, GAP = 5, 0.08  # of the grid of images; inches between two
FEATURES_SHOWN = 12  # features of a table that are shown
MOST_LABELS = 3  # points with their probability next to them


def draw_image_mistakes(
    images: Sequence[np.ndarray],
    mistakes: Sequence[Mistake],
    classes: Sequence[str],
    title: str,
    notes: Sequence[str] = (),
) -> Figure:
    """Draw misclassified images, each with its true and its predicted class and probabilities.

    All lie on the same axes: a grid with axes for each image takes four times as long.

    images: one for each of the mistakes, (H, W) in grey or (H, W, 3) red, green, blue from 0 to 1.
    notes: one more line below each of them.
    """
    names = [shortened(name, 12) for name in class_labels(classes)[0]]
    cell = 1.15 if max(map(len, names)) <= 6 else 1.45  # inches, as all coordinates here
    step, below = cell + GAP, cell + (0.55 if notes else 0.42)
    head = 0.24 + 0.18 * (title.count("\n") + 1)
    width, height = COLUMNS * step + GAP, -(-len(images) // COLUMNS) * below + head
    figure = Figure(figsize=(width, height), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for number, image in enumerate(images):
        row, column = divmod(number, COLUMNS)
        left, top = GAP + column * step, height - head - row * below
        _, true, predicted, own, given = mistakes[number]
        place = (left, left + cell, top - cell, top)
        axes.imshow(image, cmap="gray", extent=place, interpolation="nearest")
        label = f"{names[true]} ({own:.2f})\nas {names[predicted]} ({given:.2f})"
        label += f"\n{notes[number]}" if notes else ""
        look = {"ha": "center", "va": "top", "size": 8, **LITERAL}
        axes.text(left + cell / 2, top - cell - 0.04, label, **look)
    axes.set(xlim=(0, width), ylim=(0, height), aspect="auto")
    figure.suptitle(title, size=10, y=1 - 0.08 / height, va="top", **LITERAL)
    return figure


def draw_table_mistakes(
    rows: np.ndarray,
    typical: tuple[np.ndarray, np.ndarray],
    features: Sequence[str],
    mistakes: Sequence[Mistake],
    classes: Sequence[str],
    title: str,
) -> Figure:
    """Draw misclassified rows of a table: the values, coloured by their distance from the mean.

    rows: (n, D) raw values, one row for each of the mistakes. typical: mean and standard deviation
    (D,) of all test rows. Only the 12 features that deviate most in these rows are shown.
    """
    names = [shortened(name, 12) for name in class_labels(classes)[0]]
    mean, spread = typical
    distance = (rows - mean) / np.where(spread > 0, spread, 1)  # (n, D)
    shown = np.sort(np.argsort(-np.abs(distance).mean(0), kind="stable")[:FEATURES_SHOWN])
    figure = empty_figure(3.6 + 0.75 * len(shown), 1.5 + 0.27 * len(rows))
    axes = figure.add_subplot()
    grid = axes.imshow(distance[:, shown], cmap=DIVERGING, vmin=-3, vmax=3, aspect="auto")
    for row, column in np.ndindex(len(rows), len(shown)):
        dark = abs(distance[row, shown[column]]) > 2
        text = f"{rows[row, shown[column]]:.4g}"
        colour = "white" if dark else "black"
        axes.text(column, row, text, ha="center", va="center", size=8, color=colour)
    labels = [
        f"{names[true]} ({own:.2f}) as {names[predicted]} ({given:.2f})"
        for _, true, predicted, own, given in mistakes
    ]
    axes.set_yticks(range(len(rows)), labels, size=8, **LITERAL)
    titles = [value_label(features[int(number)], 14) for number in shown]
    axes.set_xticks(range(len(shown)), titles, rotation=45, ha="right", size=9, **LITERAL)
    axes.tick_params(length=0)
    figure.colorbar(grid, label="standard deviations from the mean", shrink=0.9)
    figure.suptitle(title, size=10, x=0.01, ha="left", **LITERAL)
    return figure


def draw_point_mistakes(
    points: np.ndarray,
    own: np.ndarray,
    mistakes: Sequence[Mistake],
    classes: Sequence[str],
    features: Sequence[str],
    title: str,
) -> Figure:
    """Draw points of two features, with rings around the misclassified ones.

    points: (N, 2) raw. own: (N,) their true classes. The first mistakes have the probability of the
    predicted class next to them.
    """
    figure = empty_figure(6.8, 5.4)
    axes = figure.add_subplot()
    names, _ = class_labels(classes)
    drawn, entries = evenly(len(points), 4 * MOST_POINTS), []
    for number, name in enumerate(names):
        some = points[drawn[own[drawn] == number]]
        look = line_look(number)["color"]
        (dots,) = axes.plot(some[:, 0], some[:, 1], "o", color=look, markersize=4, alpha=0.6)
        if number < MOST_IN_LEGEND:
            entries.append((dots, name))
    found = points[[position for position, *_ in mistakes]]
    (rings,) = axes.plot(
        found[:, 0], found[:, 1], "o", color="black", fillstyle="none", markersize=10
    )
    entries.append((rings, f"{len(found)} of them wrong" if len(found) > 1 else "wrong"))
    for (x, y), (*_, given) in list(zip(found, mistakes, strict=True))[:MOST_LABELS]:
        near = {"xytext": (6, 5), "textcoords": "offset points"}
        axes.annotate(f"{given:.2f}", (float(x), float(y)), size=8, **near)
    axes.set_xlabel(value_label(features[0]), **LITERAL)
    axes.set_ylabel(value_label(features[1]), **LITERAL)
    add_legend(figure, entries, loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(title, x=0.02, ha="left", size=10, **LITERAL)
    style_axes(axes)
    return figure


def draw_residuals(
    targets: np.ndarray, predictions: np.ndarray, positions: Sequence[int], title: str
) -> Figure:
    """Draw predicted against true values of a regression, with the largest residuals marked.

    targets, predictions: (N,). positions: of the examples to mark, the worst first.
    """
    figure = Figure(figsize=(6.2, 5.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="true value", ylabel="predicted value")
    both = np.concatenate([targets, predictions])
    low, high = float(np.nanmin(both)), float(np.nanmax(both))
    axes.plot([low, high], [low, high], ":", color="black", linewidth=1, label="prediction = truth")
    rest = np.setdiff1d(np.arange(len(targets)), positions)
    axes.plot(
        targets[rest], predictions[rest], ".", color=MUTED if len(rest) < 2000 else FAINT,
        markersize=4, label=f"{len(rest):,} test examples", rasterized=len(rest) > 500,
    )  # fmt: skip
    worst = np.asarray(positions, dtype=int)
    label = f"the {len(worst)} largest residuals"
    axes.plot(targets[worst], predictions[worst], "x", color=BEST, markersize=6, label=label)
    axes.vlines(targets[worst], targets[worst], predictions[worst], color=BEST, linewidth=0.7)
    axes.legend(frameon=False, loc="best", fontsize=9)
    axes.set_title(value_label(title, 80), loc="left", size=11, **LITERAL)
    style_axes(axes)
    return figure
