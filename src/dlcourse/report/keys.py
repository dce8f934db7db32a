"""Which keys tell points apart."""

from dlcourse.report.points import Point
from dlcourse.report.run import Run

REPEATED = ("seed", "split.fold")
"""Keys in which the repeats of a point differ."""

MAIN = ("data", "model", "optim", "optim.lr", "batch_size")
"""What tells points apart in a table, besides what was typed."""


def typed_keys(runs: list[Run]) -> list[str]:
    """Return the keys that any of the runs' commands named, in their order."""
    return list(dict.fromkeys(key for run in runs for key in run.typed))


def swept_keys(points: list[Point]) -> list[str]:
    """Return the typed keys in which points differ."""
    typed = typed_keys([run for point in points for run in point.runs])
    return [
        key
        for key in typed
        if key not in REPEATED and len({repr(point.values.get(key)) for point in points}) > 1
    ]


def column_keys(points: list[Point]) -> list[str]:
    """Return the keys that a table shows: those which points differ in, typed or main ones."""
    main = [
        key
        for key in MAIN
        if len({repr(point.values[key]) for point in points if key in point.values}) > 1
    ]
    swept = swept_keys(points)
    return [*(key for key in MAIN if key in {*main, *swept}), *(k for k in swept if k not in MAIN)]


def split_keys(points: list[Point], keys: list[str]) -> tuple[list[str], list[str]]:
    """Return the keys that have a column each, and those that share one, because points lack them.

    A single one of these has a column all the same.
    """
    lacking = [
        key for key in keys if key not in MAIN and any(key not in point.values for point in points)
    ]
    if len(lacking) < 2:
        return keys, []
    return [key for key in keys if key not in lacking], lacking
