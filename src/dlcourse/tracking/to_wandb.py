"""A run in Weights & Biases."""

import os
import secrets
from importlib import import_module
from pathlib import Path
from typing import Any

from dlcourse.tracking.identity import existing_files, read_identity, write_identity
from dlcourse.tracking.wandb_file import written_rows

CONNECT_SECONDS = 30.0  # until a run that cannot be sent is recorded offline
EXIT_CODES = {"finished": 0, "diverged": 1, "interrupted": 255}


class WandbRun:
    """A run in wandb's folder inside the run's folder, one row for each epoch.

    The x-axis of all curves is the epoch. The step is the epoch as well, unless a row of plots has
    that step already.
    """

    def __init__(self, run: Any, folder: str, rows: list[dict[str, float]]) -> None:
        self.run, self.folder = run, folder
        self.warnings: list[str] = []
        self.epochs = {int(row["epoch"]) for row in rows if "train/loss" in row}
        self.step = max((int(row["_step"]) for row in rows), default=-1)
        self.last = max(self.epochs, default=0)

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        if epoch not in self.epochs:
            self.log(epoch, metrics)
            self.epochs.add(epoch)
        self.last = epoch

    def log(self, epoch: int, row: dict[str, Any]) -> None:
        """Write a row."""
        self.step = max(epoch, self.step + 1)
        self.run.log({**row, "epoch": epoch}, step=self.step, commit=True)

    def summarize(self, values: dict[str, float]) -> None:
        self.run.summary.update(values)

    def close(self, status: str, files: list[str]) -> None:
        image = import_module("wandb").Image

        paths = existing_files(self.folder, files)
        plots = {f"plots/{path.stem}": path for path in paths if path.suffix == ".png"}
        if plots:
            self.log(self.last, {name: image(str(path)) for name, path in plots.items()})
        for path in paths:
            if path.suffix == ".pt":  # the config and the result are in wandb already
                self.run.save(str(path), base_path=self.folder, policy="now")
        self.run.finish(exit_code=EXIT_CODES[status])


def open_tracked(
    description: dict[str, Any], options: dict[str, Any], history: list[dict[str, float]]
) -> WandbRun:
    """Open a new run, or the same one again; history: the epochs so far.

    Without a connection a run with ``mode=online`` is recorded offline.
    """
    folder, mode = description["folder"], options["mode"]
    if mode == "offline":
        os.environ["WANDB_ERROR_REPORTING"] = "false"  # wandb reports its own errors otherwise
    identity = read_identity(folder, "wandb").get("id") or secrets.token_hex(4)
    rows = [row for path in written_files(folder, identity) for row in written_rows(path)]
    write_identity(folder, "wandb", id=identity)
    warning = ""
    try:
        run = start_run(description, options, identity, mode)
    except Exception as error:
        if mode != "online":
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        warning = f"wandb cannot send this run and records it offline: {reason}"
        run = start_run(description, options, identity, "offline")
    tracked = WandbRun(run, folder, rows)
    tracked.warnings += [warning] if warning else []
    for row in history:
        tracked.epoch(int(row["epoch"]), {key: row[key] for key in row if key != "epoch"})
    return tracked


def start_run(
    description: dict[str, Any], options: dict[str, Any], identity: str, mode: str
) -> Any:
    """Return wandb's run. identity: its id, new or of a run that is resumed."""
    wandb = import_module("wandb")
    folder = description["folder"]
    settings = wandb.Settings(
        root_dir=folder, console="off", silent=True, symlink=False, init_timeout=CONNECT_SECONDS,
        save_code=False, disable_git=True, x_disable_meta=True, x_save_requirements=False,
    )  # fmt: skip
    run = wandb.init(
        id=identity, resume="allow", mode=mode, settings=settings, reinit="create_new", dir=folder,
        project=options["project"] or os.environ.get("WANDB_PROJECT") or "dlcourse",
        entity=options["entity"],
        group=options["group"] or os.environ.get("WANDB_RUN_GROUP") or description["group"],
        name=options["name"] or description["name"],
        job_type=description["job_type"],
        notes=description["note"] or None,
        tags=list(dict.fromkeys([*description["tags"], *options["tags"]])) or None,
        config=description["config"], allow_val_change=True,
    )  # fmt: skip
    run.define_metric("epoch", hidden=True)
    run.define_metric("*", step_metric="epoch")
    return run


def written_files(folder: str, identity: str) -> list[Path]:
    """Return the files of a run that wandb has written, one for each session, in their order."""
    return sorted((Path(folder) / "wandb").glob(f"*run-*-{identity}/run-{identity}.wandb"))
