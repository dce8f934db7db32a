"""Every point as a line of CSV, its numbers in columns of their own and with all their digits."""

import csv
import io
import math
import os
from pathlib import Path
from typing import Any

from dlcourse.report.keys import column_keys
from dlcourse.report.points import Point
from dlcourse.report.ranking import by_measure, places, rank_by_data
from dlcourse.report.rows import mean_epochs, seconds
from dlcourse.report.written import option


def csv_table(points: list[Point], folder: Path) -> str:
    """Return all points as CSV, the ranked ones first; folders are told as seen from ``folder``."""
    keys = column_keys(points)
    lines = [line for part in by_measure(points) for line in ranked_lines(part, keys, folder)]
    lines += [line(point, keys, folder, None) for point in points if not point.repeats]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, lines[0])
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def ranked_lines(points: list[Point], keys: list[str], folder: Path) -> list[dict[str, Any]]:
    """Return the lines of points with the same measure that have a finished run."""
    ranked = rank_by_data(points)
    return [
        line(point, keys, folder, place)
        for point, place in zip(ranked, places(ranked), strict=True)
    ]


def line(point: Point, keys: list[str], folder: Path, place: int | None) -> dict[str, Any]:
    """Return a point's columns; what there is not is empty."""
    val, test = point.val if point.repeats else None, point.test
    parameters = [run.result.get("parameters") for run in point.runs if run.result]
    return {
        "rank": filled(place),
        "status": status(point),
        **{key: option(point, key) for key in keys},
        "monitor": point.monitor,
        "n": len(point.repeats),
        "mean": filled(val and val.mean),
        "std": filled(val and val.std),
        "low": filled(val and val.low),
        "high": filled(val and val.high),
        "test_mean": filled(test and test.mean),
        "test_std": filled(test and test.std),
        "epochs": filled(mean_epochs(point) if val else None),
        "seconds": filled(seconds(point) if val else None),
        "parameters": filled(parameters[0] if parameters else None),
        "folder": "; ".join(os.path.relpath(run.folder, folder) for run in point.runs),
        "reason": "; ".join(run.reason for run in point.runs if run.reason),
    }


def status(point: Point) -> str:
    """Return ``done``, ``2 of 3`` or how the point's runs ended otherwise."""
    if point.complete:
        return "done"
    if point.done:
        return f"{point.done} of {len(point.runs)}"
    return ", ".join(dict.fromkeys(run.status for run in point.runs))


def filled(value: float | None) -> float | str:
    """Return a number as it stands in the file, nothing for None."""
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
