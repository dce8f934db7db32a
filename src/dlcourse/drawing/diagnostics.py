"""The measurements inside a network over the training, on one page."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dlcourse.drawing.style import MUTED, SEQUENTIAL, TRAIN, empty_figure, line_look, style_axes
from dlcourse.drawing.text import LITERAL, add_legend, shortened, visible

LEGEND_UP_TO = 8  # layers; more are coloured by depth
USUAL_UPDATE = 1e-3

Series = Mapping[str, np.ndarray]
"""A table (layers, times) for each kind of measurement; NaN where there is none."""


def draw_diagnostics(
    layers: Sequence[str],
    epochs: Sequence[float],
    series: Series,
    losses: Sequence[float],
    steps: int,
    title: str,
) -> Figure:
    """Draw loss, gradients, updates and activations of every layer over the epochs.

    layers: the names, the first layer first. epochs: when they were measured, 0 before training.
    series: ``gradient``, ``update``, ``mean``, ``spread``, ``dead`` and ``saturated`` are drawn;
    without activations ``weight``. losses: of each step; steps: of an epoch.
    """
    figure = empty_figure(12, 7.2)
    places = figure.subplots(2, 3, sharex=True)
    looks = looks_of(len(layers))
    draw_step_losses(places[0, 0], losses, steps)
    panels = chosen_panels(series)
    for axes, (key, name, scale) in zip(places.flat[1:], panels, strict=False):
        draw_layers(axes, epochs, series.get(key), looks, scale)
        axes.set_title(name, loc="left", fontsize=10)
        if key == "update":
            axes.axhline(USUAL_UPDATE, color=MUTED, linestyle="--", linewidth=1)
            axes.annotate(
                "about 1e-3 is usual", (1, USUAL_UPDATE), (0, 2),
                xycoords=("axes fraction", "data"),
                textcoords="offset points", ha="right", fontsize=8, color=MUTED,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            )  # fmt: skip
    for axes in places[1]:
        axes.set_xlabel("epoch")
    style_axes(*places.flat)
    figure.suptitle(title, fontsize=12, x=0.01, ha="left", **LITERAL)
    name_layers(figure, list(places.flat), layers, looks)
    return figure


def chosen_panels(series: Series) -> list[tuple[str, str, str]]:
    """Return five panels: the key of a series, the title and the scale of the y axis."""
    panels = [
        ("gradient", "gradient norm of each layer", "log"),
        ("update", "size of a step's update / size of the weights", "log"),
        ("mean", "mean of the outputs", "linear"),
        ("spread", "standard deviation of the outputs", "log"),
        ("dead", "share of dead units", "share"),
    ]
    if has_values(series, "saturated"):
        panels[-1] = ("saturated", "share of saturated outputs", "share")
    elif not has_values(series, "dead"):
        panels[-1] = ("weight", "norm of the weights", "log")
    return panels


def has_values(series: Series, key: str) -> bool:
    """Return whether a series has a number."""
    return key in series and bool(np.isfinite(series[key]).any())


def looks_of(count: int) -> list[dict[str, Any]]:
    """Return colour and dash of each layer; many layers are coloured by depth."""
    if count <= LEGEND_UP_TO:
        return [line_look(number) for number in range(count)]
    colours = colormaps[SEQUENTIAL](np.linspace(0, 0.93, count))
    return [{"color": colour} for colour in colours]


def draw_step_losses(axes: Axes, losses: Sequence[float], steps: int) -> None:
    """Draw the loss of every step, and its mean over a fiftieth of all steps."""
    values = np.asarray(losses, dtype=float)
    axes.set_title("training loss of each step", loc="left", fontsize=10)
    if not len(values):
        axes.text(0.5, 0.5, "no losses", transform=axes.transAxes, ha="center", color=MUTED)
        return
    place = np.arange(1, len(values) + 1) / steps
    width = max(1, len(values) // 50)
    if width == 1:
        axes.plot(place, values, color=TRAIN, linewidth=1.8)
    else:
        axes.plot(place, values, color=TRAIN, linewidth=0.6, alpha=0.45)
        smooth = np.convolve(values, np.ones(width) / width, "valid")
        axes.plot(place[width - 1 :], smooth, color=TRAIN, linewidth=1.8)
    if np.nanmin(values) > 0 and np.nanmax(values) > 30 * np.nanmin(values):
        axes.set_yscale("log")


def draw_layers(
    axes: Axes,
    epochs: Sequence[float],
    table: np.ndarray | None,
    looks: Sequence[Mapping[str, Any]],
    scale: str,
) -> None:
    """Draw one line for each layer; single measurements are points."""
    if table is None or not np.isfinite(table).any():
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=MUTED)
        axes.set_yticks([])
        return
    for row, look in zip(table, looks, strict=True):
        marker = "o" if len(epochs) <= 25 else None
        values = np.where(row > 0, row, np.nan) if scale == "log" else row
        axes.plot(epochs, values, marker=marker, markersize=3, linewidth=1.4, **look)
    if scale == "log" and (table > 0).any():
        axes.set_yscale("log")
    if scale == "share":
        axes.set_ylim(-0.02, 1.02)


def name_layers(
    figure: Figure, places: Sequence[Axes], layers: Sequence[str], looks: Sequence[Mapping]
) -> None:
    """Add a legend, or for many layers a colour bar on which the first and the last are named."""
    names = [shortened(visible(name), 28) for name in layers]
    if len(layers) <= LEGEND_UP_TO:
        from matplotlib.lines import Line2D

        entries = [(Line2D([], [], **look), name) for look, name in zip(looks, names, strict=True)]
        columns = min(len(names), 4) or 1
        add_legend(figure, entries, loc="outside lower center", ncols=columns, frameon=False)
        return
    colours = ScalarMappable(Normalize(1, (len(layers) - 1) / 0.93 + 1), SEQUENTIAL)
    bar = figure.colorbar(colours, ax=list(places), location="right", shrink=0.7, aspect=40)
    bar.ax.set_ylim(1, len(layers))
    bar.ax.invert_yaxis()
    bar.set_ticks([1, len(layers)], labels=[f"first: {names[0]}", f"last: {names[-1]}"])
    bar.ax.tick_params(labelsize=9, length=0, labelrotation=90)
    bar.ax.yaxis.get_majorticklabels()[0].set_verticalalignment("top")
    bar.ax.yaxis.get_majorticklabels()[-1].set_verticalalignment("bottom")
    bar.set_label(f"depth, {len(layers)} layers")
