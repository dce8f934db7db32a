"""The values that the script of a report shows at the pointer."""

from collections.abc import Sequence
from typing import Any

from dlcourse.report.formatting import number_text
from dlcourse.report.histories import Band, Trace, outside_band
from dlcourse.report.page_axes import kept


def hover_values(number: int, traces: Sequence[Trace], band: Band, train: Band) -> dict[str, Any]:
    """Return what the script shows of a curve: ``[epoch, value, text]`` of each point on it.

    train: the training part, which the script may hide.
    """
    rests = [
        [epoch, short_number(value), f"{trace.name}: {number_text(value)}"]
        for trace in traces
        if (rest := outside_band(trace, band))
        for epoch, value in (rest[i] for i in kept(rest))
    ]
    return {"point": number, "values": mean_values(band) + rests, "train": mean_values(train)}


def mean_values(band: Band) -> list[list[Any]]:
    """Return ``[epoch, value, text]`` of each epoch of a mean that is drawn."""
    return [
        [band.epochs[i], short_number(band.mean[i]), mean_text(band, i)] for i in kept(band.epochs)
    ]


def mean_text(band: Band, index: int) -> str:
    """Return the value of the mean with its range, ``0.9731 (3 repeats, 0.9617 to 0.9826)``."""
    mean = band.mean[index]
    if band.n < 2:
        return number_text(mean)
    low, high = (number_text(one[index], mean) for one in (band.low, band.high))
    return f"{number_text(mean)} ({band.n} repeats, {low} to {high})"


def short_number(value: float) -> float:
    """Return a value with six significant digits."""
    return float(f"{value:.6g}")
