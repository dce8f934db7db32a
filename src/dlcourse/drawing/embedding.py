"""Examples as points of a plane: the features of a layer, projected."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patheffects import withStroke

from dlcourse.drawing.style import COLOURS, SEQUENTIAL, empty_figure
from dlcourse.drawing.text import LITERAL, class_labels, shortened, title_label

CLASS_MARKERS = "osD^v<>pPX"
MOST_NAMES = 30  # classes with their names at their centres; with more it is their number
PANEL = (5.4, 5.2)  # inches of a panel, about
THUMBNAIL = 0.3  # inches
SPACING = 0.75  # of two thumbnails at least, in their sides


class Panel(NamedTuple):
    """One projection: its title, the names of its two axes, and the points (N, 2)."""

    title: str
    axes: tuple[str, str]
    points: np.ndarray


def draw_embedding(
    panels: Sequence[Panel],
    targets: np.ndarray,
    classes: Sequence[str],
    title: str,
    images: Sequence[np.ndarray] | None = None,
) -> Figure:
    """Draw the same examples in each panel, with the class in colour, shape and words.

    targets: (N,) classes, or the values of a regression if there are no ``classes``.
    images: (H, W) or (H, W, 3) from 0 to 1; those that do not cover each other are drawn in place
        of their points.
    """
    figure = empty_figure(6.2 * len(panels) + (0 if classes else 0.9), 6.0)
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(places, panels, strict=True):
        axes.set_title(panel.title, loc="left", size=10, **LITERAL)
        axes.set(xlabel=panel.axes[0], ylabel=panel.axes[1], xticks=[], yticks=[])
        axes.spines[:].set_color("0.85")
        frame(axes, panel.points)
        hidden = np.zeros(len(targets), dtype=bool)
        if images is not None:
            hidden = add_thumbnails(axes, panel.points, images, targets if classes else None)
        if not classes:
            look: dict[str, Any] = {"c": targets[~hidden], "cmap": SEQUENTIAL, "s": 12}
            dots = axes.scatter(*panel.points[~hidden].T, vmin=targets.min(), vmax=targets.max(),
                                **look)  # fmt: skip
            if axes is places[-1]:
                figure.colorbar(dots, label="target", shrink=0.8)
            continue
        draw_classes(axes, panel.points, targets, hidden)
        add_names(axes, panel.points, targets, classes)
    figure.suptitle(title_label(title, 110), size=11, x=0.01, ha="left", **LITERAL)
    return figure


def look_of_class(number: int) -> dict[str, Any]:
    """Return colour and marker of a class; 100 of them differ."""
    colour, turn = COLOURS[number % len(COLOURS)], number // len(COLOURS)
    return {"color": colour, "marker": CLASS_MARKERS[(number + turn) % len(CLASS_MARKERS)]}


def draw_classes(axes: Axes, points: np.ndarray, targets: np.ndarray, hidden: np.ndarray) -> None:
    """Draw the points (N, 2) class by class, without those that are hidden (N,)."""
    size = float(np.clip(12000 / len(points), 6, 36))
    for number in np.unique(targets):
        own = (targets == number) & ~hidden
        look = look_of_class(int(number))
        axes.scatter(*points[own].T, s=size, linewidths=0, alpha=0.75, rasterized=True, **look)


def add_names(axes: Axes, points: np.ndarray, targets: np.ndarray, classes: Sequence[str]) -> None:
    """Write the name of each class at its median or near it, its number if there are many."""
    present = np.unique(targets)
    names = [shortened(name, 14) for name in class_labels(classes)[0]]
    many = len(present) > MOST_NAMES
    size = 8 if many else 11
    span = np.array([np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())])
    high = 1.3 * size / 72 / PANEL[1] * span[1]  # of a line, in the units of the points
    taken: list[tuple[float, float, float]] = []
    for number in present:
        x, y = np.median(points[targets == number], axis=0)
        text = str(number) if many else names[number]
        wide = 0.7 * size * len(text) / 72 / PANEL[0] * span[0]
        for step in (0, 1, -1, 2, -2, 3, -3):  # lines above or below the center
            place = y + step * high
            if all(abs(x - a) > (wide + w) / 2 or abs(place - b) >= high for a, b, w in taken):
                y = place
                break
        taken.append((x, y, wide))
        axes.text(
            x, y, text, ha="center", va="center", size=size, weight="bold", color="black",
            path_effects=[withStroke(linewidth=3, foreground="white")], clip_on=True, **LITERAL,
        )  # fmt: skip


def frame(axes: Axes, points: np.ndarray) -> None:
    """Set the limits of the axes around all points, with a margin."""
    low, high = points.min(0), points.max(0)
    margin = 0.06 * np.where(high > low, high - low, 1.0)
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]))
    axes.set(ylim=(low[1] - margin[1], high[1] + margin[1]))


def add_thumbnails(
    axes: Axes, points: np.ndarray, images: Sequence[np.ndarray], targets: np.ndarray | None
) -> np.ndarray:
    """Draw images at their points, none on another one, framed in the colour of their class.

    Returns which of the points (N,) are hidden below an image.
    """
    assert axes.figure is not None
    span = np.array([np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())])
    side = SPACING * THUMBNAIL / np.array(PANEL) * span  # in the units of the points
    taken: list[np.ndarray] = []
    for number, (point, image) in enumerate(zip(points, images, strict=True)):
        if any((np.abs(point - other) < side).all() for other in taken):
            continue
        taken.append(point)
        zoom = 72 * THUMBNAIL / max(image.shape[:2])
        box = OffsetImage(image, zoom=zoom, cmap="gray", norm=Normalize(0, 1))
        colour = "0.6" if targets is None else look_of_class(int(targets[number]))["color"]
        edge = {"edgecolor": colour, "linewidth": 1.6}
        axes.add_artist(AnnotationBbox(box, tuple(point), pad=0.05, bboxprops=edge))
    reach = 0.6 * side / SPACING
    covered = [(np.abs(points - center) < reach).all(axis=-1) for center in taken]  # (N,) each
    return np.logical_or.reduce(covered)
