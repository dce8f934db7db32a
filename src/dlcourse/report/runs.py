"""Finds the runs below folders."""

import json
from collections.abc import Iterator
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.report.run import Run, read_run
from dlcourse.runs import run_folder


def find_runs(folders: list[Path]) -> list[Run]:
    """Return the runs at or below folders: those of sweeps in their order, then the others.

    A run that two points of a sweep ask for is there twice; a job that has not been started is
    there as well. The folds of a cross-validation are no runs of their own.
    Raises UserError where a file is damaged.
    """
    runs: list[Run] = []
    for path in found(folders, run_folder.SWEEP):
        runs += sweep_runs(path.parent)
    known = {run.folder.resolve() for run in runs}
    for path in found(folders, run_folder.CONFIG):
        folder = path.parents[1]
        if folder.resolve() not in known:
            runs.append(read_run(folder))
    return runs


def found(folders: list[Path], name: str) -> list[Path]:
    """Return the files of a name at or below folders, each once."""
    paths = [path for folder in folders for path in sorted(folder.rglob(name))]
    return list({path.resolve(): path for path in reversed(paths)}.values())[::-1]


def sweep_runs(folder: Path) -> Iterator[Run]:
    """Yield the jobs of a sweep, point by point."""
    path = folder / run_folder.SWEEP
    try:
        sweep = json.loads(path.read_text(encoding="utf-8"))
        keys = tuple(sweep["keys"])
        aim = {key: sweep[key] for key in ("monitor", "mode")}
        points = [(point["values"], point["jobs"]) for point in sweep["points"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read: {error!r}.\nDelete it, and the folder is read run by run"
        ) from error
    for number, (values, jobs) in enumerate(points):
        for job in jobs:
            yield read_run(folder / job, aim | values, keys, (folder, number))
