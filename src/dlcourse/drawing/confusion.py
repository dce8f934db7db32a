"""The confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from dlcourse.drawing.style import DPI
from dlcourse.drawing.text import LITERAL, add_note, class_labels, shortened

COUNTED = 20  # with more classes the cells show no counts
NAMED = 100  # with more classes the axes show no names


def draw_confusion(
    counts: Sequence[Sequence[int]] | np.ndarray, classes: Sequence[str], examples: str = "test"
) -> Figure:
    """Draw counts (K, K): true class in rows, predicted in columns, coloured by share of the row.

    The colour scale is the square root of the share, so that rare errors are visible. With up to 20
    classes the cells show the counts, with up to 100 the axes show the names. The title has the
    most frequent error.

    examples: what was counted, for the title.
    """
    table, size = np.asarray(counts), len(classes)
    share = table / table.sum(1, keepdims=True).clip(min=1)
    names, note = class_labels(classes)
    title = confusion_title(table, [shortened(name, 16) for name in names], examples)
    side = min(3.6 + 0.42 * size, 12)
    width = max(side, 0.077 * max(map(len, title.split("\n"))))
    figure = Figure(figsize=(width, 0.92 * side), dpi=DPI, layout="constrained")
    axes = figure.add_subplot(xlabel="predicted class", ylabel="true class")
    plot = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    bar = figure.colorbar(plot, shrink=0.8, label="share of the true class")
    bar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
    axes.tick_params(length=0)
    if size <= NAMED:
        look = {"fontsize": 10 if size <= COUNTED else max(5, 300 / size), **LITERAL}
        upright = 0 if max(map(len, names)) <= 2 and size <= 40 else 90
        axes.set_xticks(range(size), names, rotation=upright, **look)
        axes.set_yticks(range(size), names, **look)
        add_note(figure, note)
    if size <= COUNTED:
        for row, column in np.ndindex(size, size):
            colour = "white" if share[row, column] > 0.3 else "black"
            count = table[row, column]
            look = {"ha": "center", "va": "center", "color": colour, "fontsize": 9}
            axes.text(column, row, str(count), **look).set_in_layout(False)  # half the time
    figure.suptitle(title, size=10, **LITERAL)
    return figure


def confusion_title(table: np.ndarray, names: Sequence[str], examples: str) -> str:
    """Return the number of correct examples and the most frequent error as a title."""
    correct, total = int(table.trace()), int(table.sum())
    title = f"{correct:,} of {total:,} {examples} examples are correct"
    wrong = table - np.diag(table.diagonal())
    true, predicted = divmod(int(wrong.argmax()), len(wrong))
    if count := int(wrong[true, predicted]):
        title += f"\nmost frequent error: {names[true]} predicted as {names[predicted]}, {count:,}x"
    return title
