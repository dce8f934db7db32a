"""Read runs from their folders: their options, and how they ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError
from dlcourse.runs import run_folder, start_record
from dlcourse.runs.file_shapes import FAILURE_SHAPE, manifest_misfit
from dlcourse.schema import run_files
from dlcourse.schema.overrides import is_free, key_of, leaves
from dlcourse.schema.stored_shape import misfit
from dlcourse.schema.untrusted import load_json
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.refused import in_full


class RunStatus(StrEnum):
    """The status of a run."""

    DONE = "done"
    FAILED = "failed"
    PRUNED = "pruned"
    UNFINISHED = "not finished"
    NOT_STARTED = "not started"


@dataclass(frozen=True)
class StoredRun:
    """A run, or a job of a sweep that may not have started.

    values: all known options, ``{"model": "mlp", "optim.lr": 0.1, "monitor": ...}``.
    typed: the keys that the command named. reason: why it failed or was pruned, in one line.
    result: its ``result.json``. diverged: whether it failed because training diverged.
    point: the folder of the sweep, and the number of the point there that the job belongs to.
    """

    folder: Path
    values: dict[str, Any]
    typed: tuple[str, ...]
    status: RunStatus
    reason: str = ""
    result: dict | None = None
    point: tuple[Path, int] | None = None
    diverged: bool = False


def read_run(
    folder: Path,
    values: dict[str, Any] | None = None,
    typed: tuple[str, ...] | None = None,
    point: tuple[Path, int] | None = None,
) -> StoredRun:
    """Read a run's folder, which may not exist.

    values, typed: from the sweep's manifest; values that the run has stored take precedence.
    Raises UserError if a file is damaged.
    """
    status, reason, result = read_ending(folder)
    values = {**(values or {}), **((result or {}).get("options") or {}), **stored_values(folder)}
    diverged = status == RunStatus.FAILED and bool(
        (read_note(folder / run_files.FAILURE) or {}).get("diverged")
    )
    typed = stored_typed(folder) if typed is None else typed
    return StoredRun(folder, values, typed, status, reason, result, point, diverged)


def read_ending(folder: Path) -> tuple[RunStatus, str, dict | None]:
    """Return how a run ended: its status, the reason where it failed or was pruned, its result."""
    result = checked_result(folder)
    if result is not None:
        return RunStatus.DONE, "", result
    if (failure := read_note(folder / run_files.FAILURE)) is not None:
        return RunStatus.FAILED, failure_text(folder, failure), None
    if (pruned := read_note(folder / run_files.PRUNED)) is not None:
        return RunStatus.PRUNED, pruning_text(pruned), None
    started = folder.is_dir() and any(folder.iterdir())
    return (RunStatus.UNFINISHED if started else RunStatus.NOT_STARTED), "", None


def checked_result(folder: Path) -> dict | None:
    """Return a run's result, or None without one; raises UserError for any other content."""
    return run_folder.read_result(folder)


def read_note(path: Path) -> dict | None:
    """Return the content of a sweep's note; ``{}`` if it is unreadable, None if absent."""
    try:
        content = load_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def failure_text(folder: Path, failure: dict) -> str:
    """Return in one line why a job failed, and the path of its log."""
    reason = " ".join(str(failure.get("reason") or "no reason is known").split())
    facts = []
    failure = {} if misfit(failure, FAILURE_SHAPE) else failure
    if failure.get("status") is not None:
        facts.append(f"status {failure['status']}")
    if (failure.get("attempts") or 1) > 1:
        facts.append(f"{failure['attempts']} attempts")
    log = f"; see {short_path(folder / failure['log'])}" if failure.get("log") else ""
    more = f" ({', '.join(facts)})" if facts else ""
    return f"{reason}{more}{log}"


def pruning_text(pruned: dict) -> str:
    """Return the epoch at which a trial was pruned, and its value."""
    value = pruned.get("value")
    at = f" at {value:.4g}" if isinstance(value, int | float) else ""
    return f"after epoch {pruned.get('epoch', '?')}{at}"


def stored_values(folder: Path) -> dict[str, Any]:
    """Return every option that a run has stored, including the choices of the groups."""
    if not (folder / run_files.CONFIG).exists():
        return {}
    config = dict(leaves(start_record.stored_config(folder)))
    return config | start_record.stored_choices(folder)


def stored_typed(folder: Path) -> tuple[str, ...]:
    """Return the keys that a run's own command named."""
    if not (folder / run_files.OVERRIDES).exists():
        return ()
    keys = map(key_of, start_record.stored_overrides(folder) or [])
    return tuple(key for key in keys if not is_free(key))


def find_runs(folders: list[Path]) -> list[StoredRun]:
    """Return the runs at or below folders: those of sweeps in their order, then the others.

    A job that two points of a sweep share is listed twice, and jobs that have not started are
    listed as well. The folds of a cross-validation are not listed as runs.
    Raises UserError if a file is damaged.
    """
    runs: list[StoredRun] = []
    for path in files_named(folders, run_files.MANIFEST):
        runs += sweep_runs(path.parent)
    known = {run.folder.resolve() for run in runs}
    for path in files_named(folders, run_files.CONFIG):
        folder = path.parents[1]
        if folder.resolve() not in known:
            runs.append(read_run(folder))
    return runs


def files_named(folders: list[Path], name: str) -> list[Path]:
    """Return the files of a name at or below folders, each once."""
    paths = [path for folder in folders for path in sorted(folder.rglob(name))]
    return list({path.resolve(): path for path in reversed(paths)}.values())[::-1]


def sweep_runs(folder: Path) -> Iterator[StoredRun]:
    """Yield the jobs of a sweep, point by point."""
    path = folder / run_files.MANIFEST
    try:
        sweep = load_json(path)
        problem = manifest_misfit(sweep)
        if problem:
            raise ValueError(problem)
        keys = tuple(sweep["keys"])
        aim = {key: sweep[key] for key in ("monitor", "mode")}
        points = [(point["values"], point["jobs"]) for point in sweep["points"]]
    except OSError as error:
        raise UserError(in_full(error)) from error
    except ValueError as error:
        raise UserError(
            f"{path} cannot be read: {error}.\nDelete it, and the folder is read run by run"
        ) from error
    for number, (values, jobs) in enumerate(points):
        for job in jobs:
            yield read_run(folder / job, aim | values, keys, (folder, number))
