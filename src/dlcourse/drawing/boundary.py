"""Decision regions of a classifier of two features."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dlcourse.drawing.style import COLOURS, MOST_IN_LEGEND, MOST_POINTS, empty_figure, evenly
from dlcourse.drawing.text import LITERAL, add_legend, class_labels, title_label, value_label

LARGER_UP_TO = 20  # points are drawn larger, so that those of two parts at one place are both seen
PARTS_IN_FRONT = ("train", "val", "test")
PART_MARKERS = {"train": "o", "val": "s", "test": "^"}


class Points(NamedTuple):
    """Examples of one part of the data: ``train``, ``val`` or ``test``.

    inputs: (N, 2) raw features. classes: (N,).
    """

    part: str
    inputs: np.ndarray
    classes: np.ndarray


def draw_boundary(
    sides: tuple[np.ndarray, np.ndarray],
    probabilities: np.ndarray,
    points: Sequence[Points],
    classes: Sequence[str],
    *,
    features: Sequence[str] = ("x1", "x2"),
    title: str = "",
) -> Figure:
    """Draw the predicted class of every point of a plane, paler where it is less probable.

    sides: the grid's values (G,) of the first feature and (H,) of the second.
    probabilities: (H, G, K) of the classes, row by row from the smallest second feature on.
    points: the examples to draw, at most 500 of each part; one shape for each part.
    """
    figure = empty_figure(6.8, 5.4)
    names, _ = class_labels(classes)
    axes = figure.add_subplot(
        xlabel=value_label(features[0]), ylabel=value_label(features[1]), aspect="auto"
    )
    axes.xaxis.label.set(**LITERAL)
    axes.yaxis.label.set(**LITERAL)
    draw_regions(axes, sides, probabilities)
    entries = []
    for number, name in enumerate(names[:MOST_IN_LEGEND]):
        (mark,) = axes.plot([], [], "s", color=COLOURS[number % len(COLOURS)], markersize=9)
        entries.append((mark, name))
    if len(names) > MOST_IN_LEGEND:
        (mark,) = axes.plot([], [], linestyle="")
        entries.append((mark, f"and {len(names) - MOST_IN_LEGEND} more"))
    for part, inputs, own in points:
        drawn = evenly(len(inputs), MOST_POINTS)
        colours = [COLOURS[number % len(COLOURS)] for number in own[drawn]]
        marker, first = PART_MARKERS[part], part == "train"
        size = (16 if first else 22) if len(drawn) > LARGER_UP_TO else (110 if first else 36)
        axes.scatter(
            inputs[drawn, 0], inputs[drawn, 1], s=size, c=colours, marker=marker,
            edgecolors="white" if first else "black", linewidths=0.5, rasterized=len(drawn) > 200,
            zorder=2 + PARTS_IN_FRONT.index(part), clip_on=False,
        )  # fmt: skip
        edge = "0.6" if first else "black"
        (mark,) = axes.plot([], [], marker, color="white", markeredgecolor=edge, markersize=6)
        count = (
            f"{len(inputs):,}" if len(drawn) == len(inputs) else f"{len(drawn)} of {len(inputs):,}"
        )
        entries.append((mark, f"{part}, {count}"))
    axes.set(xlim=(sides[0][0], sides[0][-1]), ylim=(sides[1][0], sides[1][-1]))
    add_legend(figure, entries, loc="outside right upper", frameon=False, fontsize=9)
    axes.set_title(title_label(title), loc="left", size=11, **LITERAL)
    axes.spines[:].set_visible(False)
    return figure


def draw_regions(
    axes: Axes, sides: tuple[np.ndarray, np.ndarray], probabilities: np.ndarray
) -> None:
    """Colour a plane by the predicted class, and draw a line where the class changes."""
    x, y = sides
    count = probabilities.shape[2]
    winner, largest = probabilities.argmax(2), probabilities.max(2)
    palette = np.array([to_rgb(COLOURS[number % len(COLOURS)]) for number in range(count)])
    sure = np.clip((largest - 1 / count) / (1 - 1 / count), 0, 1)[:, :, None]
    image = 1 - (0.08 + 0.42 * sure) * (1 - palette[winner])  # paler where undecided
    half = [(side[1] - side[0]) / 2 for side in sides]
    extent = (x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1])
    axes.imshow(image, extent=extent, origin="lower", aspect="auto", interpolation="bilinear")
    for number in np.unique(winner)[: 0 if len(np.unique(winner)) < 2 else None]:
        own = probabilities[:, :, number]
        others = np.delete(probabilities, number, axis=2).max(2)
        axes.contour(x, y, own - others, levels=[0.0], colors="black", linewidths=0.9)
