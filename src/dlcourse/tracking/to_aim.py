"""A run in Aim."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

from dlcourse.tracking.identity import (
    existing_files,
    in_turns,
    read_identity,
    write_identity,
)

QUIET = {
    "system_tracking_interval": None,
    "log_system_params": False,
    "capture_terminal_logs": False,
}


class AimRun:
    """A run in Aim, with the epoch as step; ``val/loss`` is ``loss`` of the subset ``val``."""

    def __init__(self, run: Any, folder: str) -> None:
        self.run, self.folder, self.last = run, folder, 0
        self.warnings: list[str] = []

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Record the metrics; an epoch that Aim has already is replaced."""
        for name, value in metrics.items():
            subset, _, short = name.rpartition("/")
            if math.isfinite(value):
                context = {"subset": subset} if subset else {}
                self.run.track(value, name=short, step=epoch, epoch=epoch, context=context)
        self.last = epoch

    def summarize(self, values: dict[str, float]) -> None:
        self.run["result"] = {key: value for key, value in values.items() if math.isfinite(value)}

    def close(self, status: str, files: list[str]) -> None:
        make_image = import_module("aim").Image

        for path in existing_files(self.folder, files):
            if path.suffix == ".png":
                image = make_image(str(path), optimize=False, caption=path.stem)
                self.run.track(image, name=path.stem, step=self.last, context={"subset": "plots"})
        self.run["status"] = status
        self.run.close()


def open_tracked(
    description: dict[str, Any], options: dict[str, Any], history: list[dict[str, float]]
) -> AimRun:
    """Open a new run, or the same one again; history: the epochs so far."""
    aim = import_module("aim")
    store, folder = Path(options["repo"] or options["store"]), description["folder"]
    store.mkdir(parents=True, exist_ok=True)
    with in_turns(store, "aim"):
        repo = aim.Repo.from_path(str(store), init=True)
        known = read_identity(folder, "aim").get("id")
        known = known if known in set(repo.list_all_runs()) else None
        run = aim.Run(run_hash=known, repo=repo, experiment=options["experiment"], **QUIET)
        write_identity(folder, "aim", id=run.hash)
    run.name = options["name"] or description["name"]
    run.description = description["note"]
    for tag in set(description["tags"]) - {one.name for one in run.props.tags_obj}:
        run.add_tag(tag)
    run["config"] = description["config"]
    run["group"], run["job_type"] = description["group"] or "", description["job_type"]
    tracked = AimRun(run, folder)
    for row in history:
        tracked.epoch(int(row["epoch"]), {key: row[key] for key in row if key != "epoch"})
    return tracked
