"""The metrics of each epoch, read from the folders of runs, and their mean over repeats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.report.points import Point
from dlcourse.report.runs import RunStatus, StoredRun
from dlcourse.schema.run_files import HISTORY
from dlcourse.schema.stored_shape import is_one, misfit
from dlcourse.schema.untrusted import json_of


@dataclass(frozen=True)
class Trace:
    """A metric of one repeat of a point over the epochs.

    name: of the repeat, ``seed 0`` or ``fold1``. values: pairs of an epoch and a finite value.
    whole: whether the run has finished. diverged: whether its training diverged.
    """

    name: str
    folder: Path
    values: tuple[tuple[int, float], ...]
    whole: bool = True
    diverged: bool = False


@dataclass(frozen=True)
class Band:
    """Mean, smallest and largest value over n repeats, for the epochs that all of them reached."""

    n: int
    epochs: tuple[int, ...] = ()
    mean: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics of each epoch of a run or fold; an empty list without a history.

    A line that is not complete, as after a crash, ends the list.
    """
    rows: list[dict[str, Any]] = []
    try:
        lines = (folder / HISTORY).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return rows
    for line in lines:
        try:
            row = json_of(line)
        except ValueError:
            break
        if misfit(row, {"epoch": int}):
            break
        rows.append(row)
    return rows


def histories_of(run: StoredRun) -> dict[Path, list[dict[str, Any]]]:
    """Return the histories of a run's folds, or that of the run itself, by their folder."""
    folds = sorted(run.folder.glob(f"*/{HISTORY}"), key=lambda path: numbered(path.parent.name))
    folders = [path.parent for path in folds] or [run.folder]
    return {folder: rows for folder in folders if (rows := read_history(folder))}


def numbered(name: str) -> tuple[str, int]:
    """Return the key by which ``fold2`` is before ``fold10``."""
    digits = name[len(name.rstrip("0123456789")) :]
    return name.removesuffix(digits), int(digits or 0)


def metric_names(histories: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """Return the validation metrics of some histories without ``val/``, in their order."""
    names = dict.fromkeys(key for rows in histories for row in rows for key in row)
    return [name.removeprefix("val/") for name in names if name.startswith("val/")]


def traces_of(point: Point, key: str) -> list[Trace]:
    """Return a metric, ``val/loss``, of every repeat that has at least one finite value of it."""
    found = []
    for run in point.runs:
        for folder, rows in histories_of(run).items():
            values = tuple(
                (row["epoch"], float(row[key])) for row in rows if is_finite(row.get(key))
            )
            if values:
                name = repeat_name(run, folder)
                whole = run.status == RunStatus.DONE
                found.append(Trace(name, folder, values, whole, run.diverged))
    return found


def is_finite(value: Any) -> bool:
    """Return whether a value is a number, and neither NaN nor infinite."""
    return is_one(value, float) and math.isfinite(value)


def repeat_name(run: StoredRun, folder: Path) -> str:
    """Return the name of a repeat, ``seed 0`` or ``seed 0 fold1``."""
    outer = run.values.get("split.fold")
    parts = [f"seed {run.values.get('seed', '?')}"]
    parts += [f"outer fold {outer}"] if outer is not None else []
    parts += [folder.name] if folder != run.folder else []
    return " ".join(parts)


def band_of(traces: Sequence[Trace]) -> Band:
    """Return the band of the finished traces, or of all if none has finished."""
    whole = [dict(trace.values) for trace in traces if trace.whole]
    several = whole or [dict(trace.values) for trace in traces]
    if not several:
        return Band(0)
    common = sorted(set.intersection(*(set(values) for values in several)))
    columns = [[values[epoch] for values in several] for epoch in common]
    return Band(
        len(several),
        tuple(common),
        tuple(math.fsum(column) / len(column) for column in columns),
        tuple(map(min, columns)),
        tuple(map(max, columns)),
    )


def outside_band(trace: Trace, band: Band) -> tuple[tuple[int, float], ...]:
    """Return the values of a trace that are not in the mean: after its end, or of a failed run.

    They start at the last epoch of the mean, so that the lines connect.
    """
    last = band.epochs[-1] if band.epochs and trace.whole else -math.inf
    values = tuple(pair for pair in trace.values if pair[0] >= last)
    return values if len(values) > 1 or not trace.whole or not band.epochs else ()
