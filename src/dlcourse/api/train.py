"""Train one run from Python as the command line does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from dlcourse.api.isolation import isolated, isolated_torch, logged_into
from dlcourse.api.overrides import overrides_of
from dlcourse.api.progress import progress
from dlcourse.api.run import Run
from dlcourse.engine.job import run_job
from dlcourse.runs.prepare import prepare_run
from dlcourse.schema.compose import compose_job
from dlcourse.schema.trust import foreign
from dlcourse.terminal.installed import short_path


def train(
    *overrides: str,
    folder: str | PathLike[str] | None = None,
    resume: "str | PathLike[str] | Run | None" = None,
    config_dir: str | PathLike[str] | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Train, validate and test as ``dlcourse train`` with the same overrides; return the run.

    Checks, folder and result are the same as the command's, to the last bit. In a terminal epochs
    are printed line by line, in a notebook one line is updated in place.

    overrides: as typed on the command line, ``"model=lenet"``, ``"optim.lr=0.1"``.
    settings: top-level keys as Python objects: ``max_epochs=5``, ``augment=["crop", "flip"]``,
        ``optim={"lr": 0.1}`` or ``**{"optim.lr": 0.1}``, ``max_time=None``.
    folder: where the run is written; by default ``outputs/<date>/<time>-...``.
    resume: the folder of a stopped run, or a run, to continue; a finished one is returned at once.
    config_dir: the folder of your own configs.
    quiet: print nothing but warnings.

    Raises ``dlcourse.UserError`` before training if the run cannot be started, and
    ``dlcourse.DivergedError`` if the loss is no longer finite. An interrupted run prints how to
    resume it from its folder.

    >>> run = dlcourse.train("model=lenet", "optim=adam", max_epochs=5)
    >>> run.result["test"]["accuracy"]
    0.9528
    """
    own = None if config_dir is None else fspath(config_dir)
    if resume is not None:
        settings["resume"] = Path(resume.folder if isinstance(resume, Run) else resume)
    if folder is not None:
        settings["hydra.run.dir"] = Path(folder)
    with isolated():
        typed = overrides_of(overrides, settings, own)
        job = prepare_run(compose_job(typed, own), typed, own)
        if not job.finished:
            import_module("dlcourse.engine.run")  # imports PyTorch, only now that all is checked
            with (
                isolated_torch(),
                logged_into(job.folder),
                progress(job.folder, quiet) as observers,
                resumable(job.folder),
            ):
                run_job(**job.arguments(), observers=observers)
        return Run(job.folder, trust=trusted(job.config))


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Print how to resume the run if the block is interrupted by Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        again = f'dlcourse.train(resume="{short_path(folder)}")'
        print(f"\nStopped. To resume: {again}", file=sys.stderr)
        raise


def trusted(config: dict) -> tuple[str, ...]:
    """Return the modules outside dlcourse that a config calls: its own command has named them."""
    return tuple(dict.fromkeys(name.split(".")[0] for name in foreign(config)))
