"""The curves of a report: coordinates for an inline SVG image, and values for its script."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from dlcourse.drawing.scales import distinct_labels, log_ticks, spread_out, ticks
from dlcourse.drawing.style import line_look
from dlcourse.report.formatting import short_point_text
from dlcourse.report.histories import (
    Band,
    Trace,
    band_of,
    histories_of,
    metric_names,
    outside_band,
    traces_of,
)
from dlcourse.report.page_axes import (
    BOTTOM_SPACE,
    CHART_HEIGHT,
    TOP_EDGE,
    Axis,
    height_share,
    kept,
    path_of,
    x_axis,
    y_axis,
)
from dlcourse.report.page_values import hover_values
from dlcourse.report.points import Point
from dlcourse.schema.facts import range_of

MAX_METRICS = 8
MAX_CURVES = 40  # points that are drawn; the best ones
MAX_NAMED_CURVES, NAMED_OF_MANY_CURVES = 12, 8
LABEL_LETTERS = 29
LABEL_GAP = 15 / (CHART_HEIGHT - TOP_EDGE - BOTTOM_SPACE)
DASH_ARRAYS = {"-": "", "--": "7 3", "-.": "8 3 2 3", ":": "2 3"}
GREY_CURVE = "#9aa3ad"


class Tick(NamedTuple):
    """A number on an axis and its position."""

    at: float
    text: str


class ChartLine(NamedTuple):
    """A point's curve in one chart.

    number: of the point, the best first. path, band, train: SVG paths. rest: paths of single
    repeats outside of the mean. crosses: where training diverged. label: at the height ``label_y``,
    for a curve that ends at ``end``; empty for a grey curve.
    """

    number: int
    name: str
    colour: str
    dash: str
    path: str
    band: str
    train: str
    rest: list[str]
    crosses: list[tuple[float, float]]
    dot: tuple[float, float] | None
    label: str
    label_y: float
    end: tuple[float, float]


class Chart(NamedTuple):
    """A chart of one metric: ticks, lines, and the values that the script shows.

    best: the position of the best epoch of a single run, and its name; None for several runs.
    """

    metric: str
    log: bool
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[ChartLine]
    values: dict[str, Any]
    best: Tick | None


class Charts(NamedTuple):
    """The charts of points with the same measure.

    legend: of each point its name, colour and dash. with_training: whether the training part is
    shown from the start.
    """

    charts: list[Chart]
    legend: list[dict[str, str]]
    with_training: bool
    note: str


def charts_of(ranked: Sequence[Point], keys: Sequence[str]) -> Charts | None:
    """Return a chart for each validation metric and the learning rate; None without a history.

    ranked: the best point first; points that did not finish are last.
    """
    drawn = list(ranked[:MAX_CURVES])
    histories = [rows for p in drawn for run in p.runs for rows in histories_of(run).values()]
    names = ordered_metrics(metric_names(histories), ranked[0].monitor)
    metrics = [f"val/{name}" for name in names]
    if any("lr" in row for rows in histories for row in rows):
        metrics.append("lr")
    legend = [legend_entry(point, keys, number, len(ranked)) for number, point in enumerate(drawn)]
    labels = distinct_labels([entry["name"] for entry in legend], LABEL_LETTERS)
    legend = [entry | {"label": label} for entry, label in zip(legend, labels, strict=True)]
    charts = [chart for name in metrics if (chart := chart_of(drawn, name, legend)) is not None]
    if not charts:
        return None
    return Charts(charts, legend, len(drawn) <= 3, chart_note(drawn, len(ranked) - len(drawn)))


def chart_note(points: Sequence[Point], left: int) -> str:
    """Return what the lines of the charts are. left: the number of points that are not drawn."""
    repeated = any(len(point.repeats) > 1 or len(point.runs) > 1 for point in points)
    parts = ["Line: validation"]
    if repeated:
        parts = [
            "Line: validation, the mean over the repeats; band: their smallest to largest value; "
            "thin: a repeat that was trained longer, or that failed"
        ]
    parts.append("dotted: training")
    if any(run.diverged for point in points for run in point.runs):
        parts.append("x: training diverged")
    if any(not legend_entry(p, (), n, len(points) + left)["named"] for n, p in enumerate(points)):
        parts.append("grey: the other points")
    more = f" {left} more points are not drawn." if left else ""
    return f"{'; '.join(parts)}.{more}"


def best_tick(points: Sequence[Point], x: Axis) -> Tick | None:
    """Return the best epoch of the only run; None for several runs or folds."""
    runs = [run for point in points for run in point.runs]
    epoch = (runs[0].result or {}).get("best_epoch") if len(runs) == 1 else None
    return None if epoch is None else Tick(x(epoch), f"best epoch {epoch}")


def ordered_metrics(names: Sequence[str], monitor: str) -> list[str]:
    """Return the monitored metric, the loss, and the others."""
    first = [name for name in (monitor.partition("/")[2], "loss") if name in names]
    return list(dict.fromkeys([*first, *names]))[:MAX_METRICS]


def legend_entry(point: Point, keys: Sequence[str], number: int, many: int) -> dict[str, str]:
    """Return a point's name, colour and dash."""
    named = number < (many if many <= MAX_NAMED_CURVES else NAMED_OF_MANY_CURVES)
    look = line_look(number) if named else {"color": GREY_CURVE, "linestyle": "-"}
    name = short_point_text(point, tuple(keys)) if keys else repeats_text_of(point)
    lost = all(run.diverged for run in point.runs)
    return {
        "name": f"{name}: diverged" if lost else name,
        "colour": look["color"],
        "dash": DASH_ARRAYS[look["linestyle"]],
        "named": "yes" if named else "",
    }


def repeats_text_of(point: Point) -> str:
    """Return the name of the only point: its run, or the mean of its repeats."""
    n = len(point.repeats) or len(point.runs)
    return f"mean of {n} repeats" if n > 1 else point.runs[0].folder.resolve().name


def chart_of(points: Sequence[Point], metric: str, legend: list[dict[str, str]]) -> Chart | None:
    """Return the chart of one metric; None if no point has a finite value of it."""
    found = {n: traces for n, p in enumerate(points) if (traces := traces_of(p, metric))}
    if not found:
        return None
    training = {n: traces_of(points[n], metric.replace("val/", "train/")) for n in found}
    if metric == "lr":
        training = {n: [] for n in found}
    shown = [trace for some in (found, training) for traces in some.values() for trace in traces]
    pairs = [pair for trace in shown for pair in trace.values]
    low, high = min(value for _, value in pairs), max(value for _, value in pairs)
    log = low > 0 and high > 20 * low and range_of(metric)[1] is None
    first, last = min(epoch for epoch, _ in pairs), max(epoch for epoch, _ in pairs)
    y_numbers = log_ticks(low, high, 6) if log else ticks(low, high, 6)
    if not log:
        low, high = min(low, y_numbers[0]), max(high, y_numbers[-1])
    elif low == high:
        high = low * 1.1
    x, y = x_axis(first, last), y_axis(low, high, log)
    bands = {n: band_of(traces) for n, traces in found.items()}
    trained = {n: band_of(traces) for n, traces in training.items()}
    named = [n for n in found if legend[n]["named"]]
    ends = {n: end_point(found[n], bands[n]) for n in found}
    heights = spread_out([1 - height_share(y(ends[n][1])) for n in named], LABEL_GAP)
    places = {
        n: TOP_EDGE + (1 - h) * (CHART_HEIGHT - TOP_EDGE - BOTTOM_SPACE)
        for n, h in zip(named, heights, strict=True)
    }
    lines = [
        chart_line(n, legend[n], found[n], bands[n], trained[n], places.get(n), x, y) for n in found
    ]
    values = {
        "metric": metric, "log": log, "first": first, "last": last, "low": low, "high": high,
        "lines": [hover_values(n, found[n], bands[n], trained[n]) for n in found],
    }  # fmt: skip
    return Chart(
        metric,
        log,
        [Tick(x(one), f"{one:g}") for one in ticks(first, last, 8, whole=True)],
        [Tick(y(one), f"{one:g}") for one in y_numbers],
        lines,
        values,
        best_tick(points, x),
    )


def end_point(traces: Sequence[Trace], band: Band) -> tuple[int, float]:
    """Return the last epoch of a point's curve and its value there, as in the plot ``curves``."""
    some = [trace for trace in traces if trace.whole] or list(traces)
    last = max((trace.values[-1] for trace in some), key=lambda pair: pair[0])
    return (last[0], band.mean[-1]) if band.epochs and band.epochs[-1] == last[0] else last


def chart_line(
    number: int,
    entry: dict[str, str],
    traces: Sequence[Trace],
    band: Band,
    train: Band,
    label_y: float | None,
    x: Axis,
    y: Axis,
) -> ChartLine:
    """Return the coordinates of one point's curve. label_y: of its name; None without one."""
    epochs = kept(band.epochs)
    mean = [(x(band.epochs[i]), y(band.mean[i])) for i in epochs]
    above = [(x(band.epochs[i]), y(band.high[i])) for i in epochs]
    below = [(x(band.epochs[i]), y(band.low[i])) for i in reversed(epochs)]
    rests = [rest for trace in traces if (rest := outside_band(trace, band))]
    lost = sum(trace.diverged for trace in traces)
    note = f": {lost} diverged" if lost and len(traces) > lost else ""
    epoch, value = end_point(traces, band)
    return ChartLine(
        number=number,
        name=entry["name"],
        colour=entry["colour"],
        dash=entry["dash"],
        path=path_of(mean),
        band=f"{path_of([*above, *below])}Z" if band.n > 1 and len(epochs) > 1 else "",
        train=path_of([(x(train.epochs[i]), y(train.mean[i])) for i in kept(train.epochs)]),
        rest=[path_of([(x(rest[i][0]), y(rest[i][1])) for i in kept(rest)]) for rest in rests],
        crosses=[(x(t.values[-1][0]), y(t.values[-1][1])) for t in traces if t.diverged],
        dot=mean[0] if len(mean) == 1 else None,
        label=f"{entry['label']}{note}" if label_y is not None else "",
        label_y=round(label_y or 0.0, 1),
        end=(x(epoch), y(value)),
    )
