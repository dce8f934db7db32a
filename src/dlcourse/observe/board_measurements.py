"""The measurements of the observer diagnostics as curves and histograms of TensorBoard."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from dlcourse.observe.board_layout import LOSS_OF_STEPS, MEASURED, RATE_OF_STEPS

EPOCH_POINTS = 100  # of a curve over the steps, for each epoch
RUN_OF_ALL = {
    "signal": "within/squared gradient norm without noise",
    "noise": "within/variance of an example's gradient",
    "sharpness": "within/sharpness",
    "gradient": "within/gradient norm of all layers",
}
HISTOGRAMS = {"weight_histogram": "weights", "activation_histogram": "outputs"}


class CurvePoint(NamedTuple):
    """A value of a curve at a training step."""

    tag: str
    value: float
    step: int


def curve_points(line: Mapping[str, Any], steps: int) -> Iterator[CurvePoint]:
    """Yield the points of a line of ``diagnostics.jsonl``; the x axis counts training steps.

    steps: of an epoch. The losses of an epoch are at most 100 points, each the mean of some steps.
    """
    if "losses" in line:
        first, count = (line["epoch"] - 1) * steps, len(line["losses"])
        width = max(1, -(-count // EPOCH_POINTS))
        for start in range(0, count, width):
            last = min(start + width, count)
            losses = [loss for loss in line["losses"][start:last] if loss is not None]
            if losses:
                yield CurvePoint(LOSS_OF_STEPS, sum(losses) / len(losses), first + last)
            yield CurvePoint(RATE_OF_STEPS, line["rates"][last - 1], first + last)
        return
    step = line["step"]
    for kind, tag in RUN_OF_ALL.items():
        if line.get(kind) is not None:
            yield CurvePoint(tag, line[kind], step)
    if line.get("noise") is not None and line.get("signal", 0) > 0:
        yield CurvePoint("within/gradient noise scale", line["noise"] / line["signal"], step)
    for kind, name in MEASURED.items():
        for layer, values in line["layers"].items():
            value = values.get(kind)
            if value is not None and math.isfinite(value):
                yield CurvePoint(f"within/{name}/{layer}", value, step)


def histograms_of(line: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each histogram of a line with its tag, as arguments of ``add_histogram_raw``."""
    for kind, name in HISTOGRAMS.items():
        for layer, values in line.get("layers", {}).items():
            if kind in values:
                yield f"{name}/{layer}", raw_histogram(**values[kind])


def raw_histogram(low: float, high: float, counts: list[float]) -> dict[str, Any]:
    """Return a histogram of equal bins with its moments, which are those of the bins' centres."""
    width = (high - low) / len(counts) or 1e-12
    limits = [low + width * (number + 1) for number in range(len(counts))]
    centres = [limit - width / 2 for limit in limits]
    return {
        "min": low,
        "max": high,
        "num": sum(counts),
        "sum": sum(c * n for c, n in zip(centres, counts, strict=True)),
        "sum_squares": sum(c * c * n for c, n in zip(centres, counts, strict=True)),
        "bucket_limits": limits,
        "bucket_counts": counts,
    }


def kinds_in(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what was measured in some layer of some line."""
    return list(
        dict.fromkeys(
            kind for line in lines for values in line.get("layers", {}).values() for kind in values
        )
    )
