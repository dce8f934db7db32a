"""Plot of a metric over the number of parameters."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from dlcourse.drawing.style import TRAIN, VAL, empty_figure, style_axes
from dlcourse.drawing.text import LITERAL, add_legend, value_label
from dlcourse.report.confidence import estimate
from dlcourse.report.formatting import number_text, short_point_text
from dlcourse.report.points import Point
from dlcourse.report.ranking import rank_by_data

MIN_SIZES = 3  # different numbers of parameters that make a plot
MAX_LABELLED = 12


def draw_parameters(points: Sequence[Point], keys: Sequence[str]) -> Figure | None:
    """Draw the test metric and the training metric of each point over its number of parameters.

    Both are means over the repeats. Without a test part the validation metric takes its place.
    Returns None if fewer than three numbers of parameters occur.
    """
    found = sorted((point for point in points if model_size(point)), key=model_size)
    if len({model_size(point) for point in found}) < MIN_SIZES:
        return None
    metric = found[0].monitor.partition("/")[2]
    tested = all(point.test is not None for point in found)
    part = "test" if tested else "validation"
    figure = empty_figure(7.4, 4.6)
    axes = figure.subplots()
    sizes = [model_size(point) for point in found]
    values = [(point.test.mean if tested and point.test else point.val.mean) for point in found]
    trained = [train_value(point, metric) for point in found]
    entries = [(axes.scatter(sizes, values, s=46, color=VAL, marker="s", zorder=3), part)]
    if any(value is not None for value in trained):
        both = [(size, v) for size, v in zip(sizes, trained, strict=True) if v is not None]
        entries.append((axes.scatter(*zip(*both, strict=True), s=30, color=TRAIN), "training"))
    if len(found) <= MAX_LABELLED:
        for point, size, value, other in zip(found, sizes, values, trained, strict=True):
            name = value_label(short_point_text(point, tuple(keys)), 24)
            lower = value if other is None else min(value, other)
            axes.annotate(
                name, (size, lower), (0, -9), textcoords="offset points", ha="center", va="top",
                size=8, **LITERAL,
            )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.12, y=0.14)
    axes.set_xlabel("number of parameters (log scale)")
    axes.set_ylabel(metric, **LITERAL)
    style_axes(axes)
    best = rank_by_data(found)[0]
    value = best.test.mean if tested and best.test else best.val.mean
    title = f"{metric} over size; best by {best.monitor}: {model_size(best):,} parameters, "
    axes.set_title(f"{title}{part} {number_text(value)}", size=10, loc="left", **LITERAL)
    add_legend(figure, entries, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def model_size(point: Point) -> int:
    """Return the number of parameters of a point's models; 0 if no run has finished."""
    sizes = [run.result.get("parameters") for run in point.runs if run.result]
    return int(sizes[0]) if sizes and sizes[0] else 0


def train_value(point: Point, metric: str) -> float | None:
    """Return the mean training metric of a point's best epochs; None if it was not measured."""
    values = [
        part["train"][metric]
        for run in point.runs
        if run.result
        for part in run.result.get("folds") or [run.result]
        if (part.get("train") or {}).get(metric) is not None
    ]
    return estimate(values).mean if values else None
