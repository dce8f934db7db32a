"""The list of runs as a table for the terminal, and as CSV."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from dlcourse.report.formatting import NOTHING, number_text
from dlcourse.report.run_list import ListedRun, ListedSweep, RunState
from dlcourse.runs.labels import shown_labels
from dlcourse.terminal.fitted import fitted_table
from dlcourse.terminal.installed import short_path

Entry = ListedRun | ListedSweep
CHOICE_COLUMNS = ("model", "data", "optim")
LONGEST_TEXT = 40  # characters of a note or of several choices in the table
LEFT_OUT_FIRST = ("data", "optim", "when", "model", "tags", "note")
MOST_REASONS = 5


def runs_table(entries: Sequence[Entry], width: int) -> str:
    """Return a table of runs and sweeps of at most ``width`` columns."""
    monitors = {run.monitor for run in map(best_of_entry, entries) if run is not None}
    (monitor,) = monitors if len(monitors) == 1 else ("",)
    best, test = value_heads(monitor)
    head = ["folder", "when", *CHOICE_COLUMNS, best, test, "state", "tags", "note"]
    rows = [[*texts_of(entry, not monitor)] for entry in entries]
    kept = [bool(name) and any(row[place] for row in rows) for place, name in enumerate(head)]
    shown = [[cell for cell, keep in zip(row, kept, strict=True) if keep] for row in rows]
    left = ("folder", "when", *CHOICE_COLUMNS, "state", "tags", "note")
    names = [name for name, keep in zip(head, kept, strict=True) if keep]
    optional = [name for name in (*LEFT_OUT_FIRST, test) if name in names]
    return fitted_table(names, shown, width, left=left, optional=optional)


def value_heads(monitor: str) -> tuple[str, str]:
    """Return the names of the two columns of values, in two lines: ``val/`` above ``accuracy``."""
    if not monitor:
        return "best", "test"
    part, _, metric = monitor.partition("/")
    return f"{part}/\n{metric}", f"test/\n{metric}"


def texts_of(entry: Entry, named: bool) -> list[str]:
    """Return the cells of a run or a sweep. named: whether a value has its metric's name."""
    best = best_of_entry(entry)
    runs = entry.runs if isinstance(entry, ListedSweep) else [entry]
    values = [NOTHING, NOTHING]
    if best is not None:
        name = f"{best.monitor} " if named else ""
        values = [name + number_text(best.metrics["best"]), number_text(best.tested)]
    labels = [shown_labels(run.options) for run in runs]
    return [
        short_path(entry.folder),
        when_text(entry.when),
        *(several(runs, lambda run, key=key: run.options.get(key)) for key in CHOICE_COLUMNS),
        *values,
        entry.state_text,
        *(at_most(", ".join(filter(None, dict.fromkeys(one.get(key, "") for one in labels))))
          for key in ("tags", "note")),
    ]  # fmt: skip


def best_of_entry(entry: Entry) -> ListedRun | None:
    """Return the run whose values are shown; None without any."""
    if isinstance(entry, ListedSweep):
        return entry.best
    return entry if "best" in entry.metrics else None


def several(runs: Sequence[ListedRun], value: Callable[[ListedRun], Any]) -> str:
    """Return the different values of some runs in one text."""
    found = dict.fromkeys(str(value(run)) for run in runs if value(run) is not None)
    return at_most(", ".join(found))


def at_most(text: str) -> str:
    """Return a text that is not longer than ``LONGEST_TEXT``."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def when_text(when: datetime) -> str:
    """Return a time as ``11-27 18:05``, with the year if it is not this one."""
    return when.strftime("%m-%d %H:%M" if when.year == datetime.now().year else "%Y-%m-%d")


def reasons(runs: Sequence[ListedRun], command: str) -> list[str]:
    """Return why runs failed, and how to resume one that has stopped.

    command: the one that trains, as the user types it.
    """
    failed = [run for run in runs if run.state == RunState.FAILED and run.reason]
    lines = [f"{short_path(run.folder)} failed: {run.reason}" for run in failed[:MOST_REASONS]]
    if len(failed) > MOST_REASONS:
        lines.append(f"{len(failed) - MOST_REASONS} more have failed: type state=failed csv=<file>")
    stopped = [run for run in runs if run.state == RunState.STOPPED]
    if stopped:
        lines.append(f"To resume a stopped run: {command} resume={short_path(stopped[0].folder)}")
    return lines


def runs_csv(runs: Sequence[ListedRun]) -> str:
    """Return runs as CSV, with all columns."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        ["when", "folder", *CHOICE_COLUMNS, "monitor", "best", "test", "state", "progress",
         "epochs", "seconds", "tags", "note", "reason"]
    )  # fmt: skip
    for run in runs:
        labels = shown_labels(run.options)
        numbers = [run.metrics.get("best"), run.tested]
        writer.writerow(
            [run.when.isoformat(timespec="seconds"), run.folder,
             *(run.options.get(key) for key in CHOICE_COLUMNS), run.monitor, *numbers, run.state,
             run.progress, run.metrics.get("epochs"), run.metrics.get("seconds"),
             labels.get("tags"), labels.get("note"), run.reason]
        )  # fmt: skip
    return text.getvalue()
