"""The loss over a plane or a line through the space of a model's weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter

from dlcourse.drawing.style import BEST, SEQUENTIAL, empty_figure, line_look, style_axes
from dlcourse.drawing.text import LITERAL, title_label

LOSS_LEVELS = 16
SMALLEST = 1e-6  # of the largest loss: smaller ones have the same colour
FEW_POINTS = 12  # of a path, each of which gets its epoch


def draw_loss_surface(
    along: tuple[np.ndarray, np.ndarray],
    losses: np.ndarray,
    *,
    names: tuple[str, str],
    title: str,
    path: np.ndarray | None = None,
    epochs: Sequence[str] = (),
    best: tuple[float, float] = (0.0, 0.0),
    loss_name: str = "loss",
) -> Figure:
    """Draw lines of equal loss with logarithmic steps, and the path of training.

    along: the values (G,) and (H,) of the two directions. losses: (H, G); NaN and infinities are
    white. path: (T, 2) points, each named in ``epochs``. best: where the evaluated weights are.
    """
    figure = empty_figure(7.0, 5.6)
    axes = figure.add_subplot(xlabel=names[0], ylabel=names[1])
    draw_levels(figure, axes, along, losses, loss_name)
    if path is not None:
        outline = [withStroke(linewidth=3.5, foreground="white")]
        axes.plot(*path.T, "o-", color=BEST, linewidth=1.6, markersize=4, path_effects=outline)
        for number in labelled(path, along):
            axes.annotate(
                epochs[number], path[number], (6, 5), textcoords="offset points", size=9,
                color=BEST, path_effects=outline, **LITERAL,
            )  # fmt: skip
    axes.plot(*best, "*", color="white", markeredgecolor="black", markersize=15, zorder=5)
    axes.set(xlim=(along[0][0], along[0][-1]), ylim=(along[1][0], along[1][-1]))
    axes.set_title(title_label(title, 90), loc="left", size=11, **LITERAL)
    return figure


def draw_levels(
    figure: Figure,
    axes: Axes,
    along: tuple[np.ndarray, np.ndarray],
    losses: np.ndarray,
    loss_name: str,
) -> None:
    """Fill a plane with the colours of its losses; logarithmic, dark is low."""
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        axes.text(0.5, 0.5, "no loss here is finite", transform=axes.transAxes, ha="center")
        return
    high = max(float(finite.max()), 1e-12)
    low = min(max(float(finite.min()), SMALLEST * high), high / 1.01)
    levels = np.geomspace(low, high, LOSS_LEVELS)
    shown = np.ma.masked_invalid(losses).clip(low, high)
    norm = LogNorm(low, high)
    filled = axes.contourf(*along, shown, levels=levels, cmap=SEQUENTIAL, norm=norm)
    axes.contour(*along, shown, levels=levels, colors="white", linewidths=0.4, alpha=0.7)
    bar = figure.colorbar(filled, label=loss_name)
    ticks = ticks_between(low, high)
    bar.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks])
    bar.ax.yaxis.set_minor_formatter(NullFormatter())


def ticks_between(low: float, high: float) -> list[float]:
    """Return round numbers between two losses for a logarithmic axis, the ends if there are few."""
    for subs in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        ticks = np.asarray(LogLocator(subs=subs, numticks=20).tick_values(low, high))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if len(ticks) >= 4:
            return ticks.tolist()
    return np.geomspace(low, high, 4).tolist()


def labelled(path: np.ndarray, along: tuple[np.ndarray, np.ndarray]) -> list[int]:
    """Return which points (T, 2) of a path get a label: not two that are close to each other."""
    span = np.array([np.ptp(side) for side in along])
    found: list[int] = []
    for number in [0, len(path) - 1, *range(1, len(path) - 1)]:
        away = [np.abs((path[number] - path[other]) / span) for other in found]
        if all(x > 0.18 or y > 0.06 for x, y in away) and len(found) < FEW_POINTS:
            found.append(number)
    return found


def draw_loss_line(
    along: np.ndarray,
    losses: Mapping[str, np.ndarray],
    *,
    ends: tuple[str, str],
    name: str,
    title: str,
    loss_name: str = "loss",
) -> Figure:
    """Draw losses over a line between two weights, which are at 0 and 1.

    losses: the values (G,) of each part of the data.
    """
    figure = empty_figure(7.0, 4.2)
    axes = figure.add_subplot(xlabel=name, ylabel=loss_name)
    for number, (part, values) in enumerate(losses.items()):
        axes.plot(along, values, linewidth=1.8, label=part, **line_look(number))
    look: dict[str, Any] = {"color": "black", "linewidth": 0.8, "linestyle": ":"}
    finite = np.concatenate([values[np.isfinite(values)] for values in losses.values()])
    positive = finite[finite > 0]
    if len(positive) == len(finite) > 0 and finite.max() > 100 * finite.min():
        axes.set_yscale("log")
    for place, text in zip((0, 1), ends, strict=True):
        axes.axvline(place, **look)
        axes.annotate(
            text, (place, 1), (3, -3), xycoords=("data", "axes fraction"), va="top", size=9,
            textcoords="offset points", **LITERAL,
        )  # fmt: skip
    axes.legend(frameon=False)
    axes.set_title(title_label(title, 90), loc="left", size=11, **LITERAL)
    style_axes(axes)
    return figure
