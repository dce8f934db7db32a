"""List runs and sweeps below a folder by their small files, a thousand of them in a second."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import filelock

from dlcourse.errors import UserError
from dlcourse.report.runs import failure_text, pruning_text, read_note, stored_values
from dlcourse.runs import start_record
from dlcourse.runs.file_shapes import result_misfit
from dlcourse.runs.labels import run_labels
from dlcourse.runs.run_folder import DIVERGED
from dlcourse.schema import run_files
from dlcourse.schema.stored_shape import misfit
from dlcourse.schema.untrusted import json_of

METRIC_PARTS = ("train", "val", "test")


class RunState(StrEnum):
    """What has become of a run, as a list shows it."""

    FINISHED = "finished"
    STOPPED = "stopped"
    RUNNING = "running"
    FAILED = "failed"
    PRUNED = "pruned"


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it.

    when: its start. state: of ``RunState``. progress: ``epoch 3`` of a run that is not finished.
    reason: why it failed. result: the content of ``result.json``; {} without one.
    """

    folder: Path
    when: datetime
    state: RunState
    progress: str = ""
    reason: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """The main options, the typed ones and the labels; all options of an unfinished run."""
        if "options" not in self.result:
            return self.every_option
        own = self.result["options"]
        choices = {} if "model" in own else self.choices  # a sweep's job stores what varies alone
        return {**choices, **own, **run_labels(self.result)}

    @property
    def choices(self) -> Mapping[str, Any]:
        """The choice in each group; {} for a damaged file."""
        try:
            return start_record.stored_choices(self.folder)
        except UserError:
            return {}

    @cached_property
    def every_option(self) -> Mapping[str, Any]:
        """All stored options; reading them takes longer. Empty for a damaged config."""
        try:
            return stored_values(self.folder)
        except UserError:
            return {}

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The values of the result by name, ``val/accuracy``; in cross-validation the means."""
        found = {
            f"{split}/{name}": value
            for split in METRIC_PARTS
            for name, value in (self.result.get(split) or {}).items()
        }
        found |= self.result.get("mean") or {}
        keys = ("best", "epochs", "best_epoch", "seconds", "parameters")
        found |= {key: self.result[key] for key in keys if key in self.result}
        return {name: value for name, value in found.items() if isinstance(value, int | float)}

    @property
    def monitor(self) -> str:
        """The monitored metric, ``val/accuracy``."""
        return str(self.result.get("monitor", ""))

    @property
    def tested(self) -> float | None:
        """The monitored metric on the test part."""
        return self.metrics.get(f"test/{self.monitor.partition('/')[2]}")

    @property
    def state_text(self) -> str:
        """The state with the progress, ``stopped, epoch 3``."""
        return ", ".join(filter(None, [self.state, self.progress]))


@dataclass(frozen=True)
class ListedSweep:
    """A sweep and those of its jobs that have started."""

    folder: Path
    when: datetime
    runs: list[ListedRun]
    jobs: int

    @property
    def best(self) -> ListedRun | None:
        """The job with the best value of the monitored metric."""
        done = [run for run in self.runs if "best" in run.metrics]
        if not done:
            return None
        sign = -1 if done[0].result.get("mode") == "min" else 1
        return max(done, key=lambda run: sign * run.metrics["best"])

    @property
    def state_text(self) -> str:
        """The number of jobs in each state, ``sweep of 6: 5 finished, 1 failed``."""
        counts = Counter(run.state for run in self.runs)
        missing = self.jobs - len(self.runs)
        parts = [f"{counts[state]} {state}" for state in RunState if counts[state]]
        return f"sweep of {self.jobs}: " + ", ".join(
            [*parts, *([f"{missing} missing"] if missing > 0 else [])]
        )


def list_runs(top: Path) -> Iterator[ListedRun | ListedSweep]:
    """Yield the runs and sweeps at or below a folder, in no particular order.

    The folds of a run are not listed. A folder that may not be read is left out.
    """
    try:
        names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in os.scandir(top)}
    except OSError:
        return
    if run_files.MANIFEST in names:
        yield list_sweep(top)
    elif names.get(".hydra") and (top / run_files.CONFIG).exists():
        yield list_run(top, names)
    else:
        for name in (name for name, is_folder in names.items() if is_folder):
            yield from list_runs(top / name)


def list_sweep(folder: Path) -> ListedSweep:
    """Read a sweep: its manifest and its jobs; one with a damaged manifest has no missing jobs."""
    path = folder / run_files.MANIFEST
    runs = []
    for entry in os.scandir(folder):
        if entry.is_dir() and os.path.exists(f"{entry.path}/{run_files.CONFIG}"):
            runs.append(list_run(Path(entry.path), set(os.listdir(entry.path))))
    manifest = read_note(path) or {}
    points = [] if misfit(manifest, {"points": [{"jobs": [str]}]}) else manifest["points"]
    jobs = {job for point in points for job in point["jobs"]}
    when = min([run.when for run in runs], default=datetime.fromtimestamp(path.stat().st_mtime))
    return ListedSweep(folder, when, runs, max(len(jobs), len(runs)))


def list_run(folder: Path, names: Any) -> ListedRun:
    """Read a run. names: of the files and folders in its folder."""
    hydra = folder / run_files.HYDRA
    started = hydra if hydra.exists() else folder / run_files.CONFIG
    when = datetime.fromtimestamp(started.stat().st_mtime)
    result = read_note(folder / run_files.RESULT) if run_files.RESULT in names else None
    if result and result.get("ended_by") != DIVERGED and result_misfit(result):
        result = {}
    if result and result.get("ended_by") != DIVERGED:
        return ListedRun(folder, when, RunState.FINISHED, result=result)
    progress = progress_of(folder, names)
    if result:
        reason = str(result.get("reason", ""))
        return ListedRun(folder, when, RunState.FAILED, progress, reason, result)
    if run_files.FAILURE in names:
        failure = read_note(folder / run_files.FAILURE) or {}
        return ListedRun(folder, when, RunState.FAILED, progress, failure_text(folder, failure))
    if run_files.PRUNED in names:
        pruned = read_note(folder / run_files.PRUNED) or {}
        return ListedRun(folder, when, RunState.PRUNED, progress, pruning_text(pruned))
    state = RunState.RUNNING if is_locked(folder) else RunState.STOPPED
    return ListedRun(folder, when, state, progress)


def progress_of(folder: Path, names: Any) -> str:
    """Return how far a run has come: ``epoch 3``, or ``2 folds done``."""
    folds = [name for name in names if name.startswith("fold")]
    if folds:
        done = sum((folder / name / run_files.RESULT).exists() for name in folds)
        return f"{done} {'fold' if done == 1 else 'folds'} done"
    epoch = last_epoch(folder / run_files.HISTORY)
    return f"epoch {epoch}" if epoch else "before epoch 1"


def last_epoch(path: Path) -> int:
    """Return the epoch in the last whole line of a history; 0 without one."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return 0
    for line in reversed(lines):
        try:
            content = json_of(line)
        except ValueError:
            continue
        if not misfit(content, {"epoch": int}):
            return content["epoch"]
    return 0


def is_locked(folder: Path) -> bool:
    """Return whether a process is working in a run's folder."""
    lock = folder / ".hydra/lock"
    if not lock.exists():
        return False
    try:
        with filelock.FileLock(lock, timeout=0):
            return False
    except (filelock.Timeout, OSError):
        return True
