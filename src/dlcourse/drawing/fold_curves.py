"""Learning curves of a cross-validation: each fold, their mean and a band."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse.drawing.curves import (
    NAMES,
    PART_LOOKS,
    HistoryRows,
    add_shared_legend,
    draw_part,
    epoch_values,
    finish_panel,
    panel_axes,
    panels_of,
)
from dlcourse.drawing.text import LITERAL


def draw_fold_curves(
    histories: Mapping[str, HistoryRows], monitor: str, best: Sequence[float] = ()
) -> Figure:
    """Draw the curves of all folds thin, and their mean with a band of one standard deviation.

    Mean and band cover the epochs that every fold has trained; folds that stop early end sooner.

    histories: by the name of the fold, each as for ``draw_run_curves``. monitor: a key of them.
    best: each fold's best value, for the title. Raises ValueError without epochs.
    """
    folds = [history for history in histories.values() if history]
    if not folds:
        raise ValueError("there are no epochs to draw")
    panels = panels_of([row for history in folds for row in history], monitor)
    figure, axes = panel_axes(panels)
    for name, place in zip(panels, axes, strict=True):
        for key in ["lr"] if name == "lr" else [f"train/{name}", f"val/{name}"]:
            drawn = [history for history in folds if any(key in row for row in history)]
            for history in drawn:
                draw_part(place, history, key, linewidth=0.6, alpha=0.5, marker="", label=None)
            if drawn and name != "lr":
                draw_mean(place, drawn, key)
        finish_panel(place, name)
    axes[-1].set_xlabel("epoch")
    add_shared_legend(figure, axes[0])
    title = f"{len(folds)} folds: mean, one standard deviation, each fold thin"
    if len(best):
        spread = f" ± {np.std(best, ddof=1):.2g}" if len(best) > 1 else ""
        title = f"best {monitor} {np.mean(best):.4g}{spread} over {len(best)} folds"
    figure.suptitle(title, x=0.02, ha="left", size=11, **LITERAL)
    return figure


def draw_mean(axes: Axes, histories: Sequence[HistoryRows], key: str) -> None:
    """Draw the mean of a metric over the folds, and a band of one standard deviation around it."""
    shortest = min(map(len, histories))
    table = np.array(
        [epoch_values(history[:shortest], key)[1] for history in histories]
    )  # (folds, E)
    epochs, _ = epoch_values(histories[0][:shortest], key)
    part = key.partition("/")[0]
    look, mean = PART_LOOKS[part], table.mean(0)
    marker = look["marker"] if shortest == 1 else ""
    style = {"color": look["color"], "linestyle": look["linestyle"], "marker": marker}
    axes.plot(epochs, mean, linewidth=2.2, label=f"{NAMES[part]}, mean of folds", **style)
    if len(table) > 1:
        spread = table.std(0, ddof=1)
        axes.fill_between(epochs, mean - spread, mean + spread, color=look["color"], alpha=0.2)
