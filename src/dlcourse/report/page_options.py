"""What differs between the runs of a report, and what they have in common."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from dlcourse.report.formatting import value_text
from dlcourse.report.runs import RunStatus, StoredRun
from dlcourse.schema.overrides import is_private

MAX_VALUES = 12
HIDDEN = ("resume", "trust")
"""Keys of a config that say nothing about a run."""


class OptionRows(NamedTuple):
    """Rows ``[option, values]``: of options that differ, that only some runs have, and the others.

    Where all runs are equal, the value stands alone.
    """

    differing: list[list[str]]
    partial: list[list[str]]
    common: list[list[str]]


def options_by_use(runs: Sequence[StoredRun]) -> OptionRows:
    """Return the options of some runs; runs that have not started are left out."""
    started = [run for run in runs if run.status != RunStatus.NOT_STARTED] or list(runs)
    found = OptionRows([], [], [])
    keys = dict.fromkeys(key for run in started for key in run.values)
    for key in keys:
        if is_private(key) or key in HIDDEN or key.startswith("hydra/"):
            continue
        texts = [value_text(run.values[key]) for run in started if key in run.values]
        counts = Counter(texts)
        if len(texts) < len(started):
            found.partial.append([key, f"{values_text(counts)} ({len(texts)} runs)"])
        elif len(counts) > 1:
            found.differing.append([key, values_text(counts)])
        else:
            found.common.append([key, texts[0]])
    return found


def values_text(counts: Counter) -> str:
    """Return the distinct_text values in their order."""
    more = f" and {len(counts) - MAX_VALUES} more" if len(counts) > MAX_VALUES else ""
    return ", ".join(list(counts)[:MAX_VALUES]) + more
