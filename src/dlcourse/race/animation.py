"""The animation of a race: the racers on the surface, and below them their losses so far."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dlcourse.drawing.text import LITERAL, add_legend, shortened
from dlcourse.race.outcome import PathOutcome
from dlcourse.race.plots import Grid, draw_start, draw_surface, drawn_path, look_of, loss_lines
from dlcourse.race.surfaces import Surface

FRAMES = 40
GIF_SECONDS = 0.16  # of a frame
HEAD: dict[str, Any] = {
    "linestyle": "none", "markersize": 9, "markeredgecolor": "black", "markeredgewidth": 0.8,
    "zorder": 8,
}  # fmt: skip
"""The look of a racer's present position, besides its colour and its marker."""
FRAME_WIDTH, FRAME_HEIGHT = 7.0, 6.2  # inches


def frames(
    surface: Surface,
    grid: Grid,
    lowest: float,
    outcomes: Sequence[PathOutcome],
    reach: float,
    title: str,
) -> Iterator[Figure]:
    """Yield the frames: one figure, which changes before each frame.

    The first steps are shown one by one and the last in larger jumps.
    """
    figure = Figure(figsize=(FRAME_WIDTH, FRAME_HEIGHT))
    top = figure.add_axes((0.09, 0.42, 0.63, 0.52))
    below = figure.add_axes((0.09, 0.08, 0.63, 0.26))
    draw_surface(top, surface, grid, lowest)
    draw_start(top, outcomes[0].trajectory.positions[0])
    top.set(xlabel="", ylabel="y")
    losses = loss_lines(below, outcomes, reach)
    below.set_ylabel("loss")
    paths, heads = [], []
    for number, line in enumerate(losses):
        look = look_of(number)
        line.set(marker="", linewidth=1.6)
        paths.append(top.plot([], [], **look | {"marker": "", "linewidth": 1.4})[0])
        heads.append(top.plot([], [], **look | HEAD)[0])
    names = [shortened(one.racer.label_with_rate, 24) for one in outcomes]
    add_legend(figure, [*zip(heads, names, strict=True)], loc="upper left",
               bbox_to_anchor=(0.735, 0.955), fontsize=8.5, frameon=False,
               handletextpad=0.2)  # fmt: skip
    marker = below.axvline(0, color="0.4", linewidth=0.8)
    series = [
        (drawn_path(one, surface.window), line.get_data())
        for one, line in zip(outcomes, losses, strict=True)
    ]
    for step in shown_steps(max(len(one.excess) for one in outcomes) - 1):
        for (positions, (x, y)), path, head, loss in zip(series, paths, heads, losses, strict=True):
            path.set_data(*positions[: step + 1].T)
            head.set_data(*positions[: step + 1][-1:].T)
            loss.set_data(x[: step + 1], y[: step + 1])
        marker.set_xdata([step, step])
        top.set_title(f"{title}: step {step:,}", size=11, loc="left", **LITERAL)
        yield figure


def shown_steps(steps: int) -> list[int]:
    """Return the steps of the frames, ascending from 0 to ``steps``, denser at the beginning."""
    shares = np.linspace(0, 1, min(FRAMES, steps + 1)) ** 1.8
    return sorted({*np.rint(shares * steps).astype(int).tolist(), 0, steps})
