"""Learning curves: loss, metric and learning rate over the epochs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlcourse.drawing.style import BEST, MUTED, TRAIN, VAL, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL

HistoryRows = Sequence[Mapping[str, Any]]
"""``[{"epoch": 1, "train/loss": 0.5, "val/loss": 0.6, "lr": 0.001}, ...]``; None is undefined."""

PART_LOOKS: dict[str, dict[str, Any]] = {
    "train": {"color": TRAIN, "linestyle": "-", "marker": "o"},
    "val": {"color": VAL, "linestyle": "--", "marker": "s"},
}
NAMES = {"train": "training", "val": "validation"}
DECADES = 30  # the axis is logarithmic if the largest value is this multiple of the smallest
MARKED = 15  # curves of up to this many epochs have a mark for each


def draw_run_curves(
    history: HistoryRows, monitor: str, best_epoch: int | None = None, *, title: str = ""
) -> Figure:
    """Draw the curves of a run: loss, the monitored metric, and below them the learning rate.

    Each panel has the curve of the training data and that of the validation data, where they exist.
    If the loss is monitored, the second panel shows the first metric of both parts. A panel whose
    values span decades has a logarithmic axis. Undefined values leave gaps.

    monitor: a key of the history, ``val/accuracy``. best_epoch: marked by a line, its value in the
    title. title: replaces the title. Raises ValueError for an empty history.
    """
    if not history:
        raise ValueError("there are no epochs to draw")
    panels = panels_of(history, monitor)
    figure, axes = panel_axes(panels)
    for name, place in zip(panels, axes, strict=True):
        for key in ["lr"] if name == "lr" else [f"train/{name}", f"val/{name}"]:
            if any(key in row for row in history):
                draw_part(place, history, key)
        finish_panel(place, name)
        if best_epoch is not None:
            line = place.axvline(best_epoch, color=BEST, linewidth=1, linestyle=":", zorder=1)
            line.set_label("best epoch")
    if best_epoch is not None:
        mark_best(axes, panels, history, monitor, best_epoch)
    axes[-1].set_xlabel("epoch")
    add_shared_legend(figure, axes[0])
    found = best_title(history, monitor, best_epoch)
    figure.suptitle(title or found, x=0.02, ha="left", size=11, **LITERAL)
    return figure


def panels_of(history: HistoryRows, monitor: str) -> list[str]:
    """Return the names of the panels: loss, the metric to show, and ``lr``."""
    keys = dict.fromkeys(key for row in history for key in row)
    metrics = [key.partition("/")[2] for key in keys if key.startswith(("train/", "val/"))]
    shown = [name for name in ("loss",) if name in metrics]
    metric = monitor.partition("/")[2]
    if metric == "loss":
        shared = [name for name in metrics if metrics.count(name) > 1 and name != "loss"]
        shown += (shared or [name for name in metrics if name != "loss"])[:1]
    elif metric in metrics:
        shown.append(metric)
    return [*shown, *(["lr"] if "lr" in keys else [])]


def panel_axes(panels: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel below the other, the last one small if it is ``lr``."""
    heights = [0.9 if name == "lr" else 2.0 for name in panels]
    figure = empty_figure(7.4, sum(heights) + 1.3)
    axes = figure.subplots(len(panels), 1, sharex=True, height_ratios=heights, squeeze=False)
    return figure, list(axes[:, 0])


def epoch_values(history: HistoryRows, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the epochs and a metric's values (epochs,); NaN where it is not a finite number."""
    rows = [(row["epoch"], row.get(key)) for row in history]
    epochs = np.array([epoch for epoch, _ in rows], dtype=float)
    values = np.array([math.nan if value is None else value for _, value in rows], dtype=float)
    return epochs, np.where(np.isfinite(values), values, math.nan)


def draw_part(axes: Axes, history: HistoryRows, key: str, **look: Any) -> None:
    """Draw a metric over the epochs, in the colour and dash of its part of the data."""
    epochs, values = epoch_values(history, key)
    part = key.partition("/")[0]
    style = {
        "label": NAMES.get(part),
        "markersize": 4,
        **PART_LOOKS.get(part, {"color": MUTED}),
        **look,
    }
    if len(epochs) > MARKED and not np.isnan(values).any():
        style["marker"] = ""
    style.setdefault("marker", "o" if len(epochs) == 1 else "")
    axes.plot(epochs, values, **style)


def finish_panel(axes: Axes, name: str) -> None:
    """Set the label, scale and ticks of a panel from what it shows."""
    axes.set_ylabel("learning rate" if name == "lr" else name.replace("_", " "), **LITERAL)
    values = [value for line in axes.lines for value in np.asarray(line.get_ydata(), dtype=float)]
    finite = np.array([value for value in values if math.isfinite(value)])
    if not len(finite):
        axes.text(0.5, 0.5, "undefined in every epoch", transform=axes.transAxes, ha="center")
        axes.set_yticks([])
    elif finite.min() > 0 and finite.max() >= DECADES * finite.min():
        axes.set_yscale("log")
    elif name == "lr" and finite.min() == finite.max():
        axes.set_yticks([finite[0]], [f"{finite[0]:g}"])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    style_axes(axes)


def mark_best(
    axes: Sequence[Axes], panels: Sequence[str], history: HistoryRows, monitor: str, best_epoch: int
) -> None:
    """Put a ring around the best epoch's value on the monitored curve."""
    metric = monitor.partition("/")[2]
    value = metric_in_epoch(history, monitor, best_epoch)
    if metric in panels and math.isfinite(value):
        place = axes[panels.index(metric)]
        place.plot(best_epoch, value, "o", markersize=9, fillstyle="none", color=BEST, zorder=4)


def metric_in_epoch(history: HistoryRows, key: str, epoch: int) -> float:
    """Return a metric's value in an epoch; NaN if it has none."""
    value = next((row.get(key) for row in history if row["epoch"] == epoch), None)
    return math.nan if value is None else value


def best_title(history: HistoryRows, monitor: str, best_epoch: int | None) -> str:
    """Return ``best val/accuracy 0.9895 in epoch 14 of 34``."""
    last = history[-1]["epoch"]
    if best_epoch is None:
        return f"{last} epoch{'s' * (last != 1)}"
    value = metric_in_epoch(history, monitor, best_epoch)
    return f"best {monitor} {value:.4g} in epoch {best_epoch} of {last}"


def add_shared_legend(figure: Figure, axes: Axes) -> None:
    """Put the legend of one panel below all panels."""
    lines, labels = axes.get_legend_handles_labels()
    if labels:
        place = "outside lower center"
        figure.legend(lines, labels, loc=place, ncols=len(labels), frameon=False, fontsize=9)
