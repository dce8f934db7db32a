"""Accuracy over a number such as the learning rate, one line for each method."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from dlcourse.drawing.named_lines import draw_named_lines

GUESSING = 0.1  # accuracy among ten classes, at which a run that diverged is drawn


def draw_accuracy_over(
    axes: Axes,
    accuracies: Mapping[str, Mapping[float, float | None]],
    places: Sequence[float],
    label: str,
) -> None:
    """Draw the accuracy of each method at each place of a logarithmic axis.

    accuracies: name -> place -> accuracy; None, or a place that is missing, for a run that
        diverged, which is drawn as a cross at the accuracy of guessing. label: of the x axis.
    """
    axes.set(xscale="log", ylim=(0, 1.02), xlabel=label, ylabel="validation accuracy")
    lines, crosses = {}, []
    for name, found in accuracies.items():
        values = [found.get(place) for place in places]
        lines[name] = (list(places), [GUESSING if one is None else one for one in values])
        crosses += [place for place, one in zip(places, values, strict=True) if one is None]
    draw_named_lines(axes, lines, marker="o", markersize=5)
    if crosses:
        axes.plot(crosses, [GUESSING] * len(crosses), "x", color="black", markersize=11, zorder=5)
        axes.annotate(
            "diverged", (crosses[-1], GUESSING), (0, -14), textcoords="offset points", ha="center",
            size=9,
        )  # fmt: skip
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.minorticks_off()
