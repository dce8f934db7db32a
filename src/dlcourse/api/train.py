"""One run from Python, the way the command line takes."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from dlcourse.api.isolation import isolated, isolated_torch, logged_into
from dlcourse.api.overrides import overrides_of
from dlcourse.api.progress import progress
from dlcourse.api.run import Run
from dlcourse.cli import resumed
from dlcourse.runs import run_folder
from dlcourse.schema.compose import compose, plain
from dlcourse.schema.overrides import key_of
from dlcourse.schema.trust import foreign
from dlcourse.schema.validate import check, check_key


def train(
    *overrides: str,
    folder: str | PathLike[str] | None = None,
    resume: "str | PathLike[str] | Run | None" = None,
    config_dir: str | PathLike[str] | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Train, validate and test as ``dlcourse train`` with the same overrides; return the run.

    Checks, folder and result are those of the command, to the last bit. In a terminal the epochs
    are printed line by line, in a notebook one line is updated in place.

    overrides: as typed on the command line, ``"model=lenet"``, ``"optim.lr=0.1"``.
    settings: top-level keys as Python objects: ``max_epochs=5``, ``augment=["crop", "flip"]``,
        ``optim={"lr": 0.1}`` or ``**{"optim.lr": 0.1}``, ``max_time=None``.
    folder: where the run is written; by default ``outputs/<date>/<time>-...``.
    resume: the folder of a stopped run, or a run, to continue; a finished one is returned at once.
    config_dir: the folder of your own configs.
    quiet: print nothing but warnings.

    Raises ``dlcourse.UserError`` for what cannot be run, before anything is started, and
    ``dlcourse.DivergedError`` where the loss is no longer finite. Interrupted, it leaves a folder
    that can be resumed, and says how.

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
        job = prepare(overrides_of(overrides, settings, own), own)
        if not job.finished:
            import_module("dlcourse.engine.run")  # PyTorch, only now that all is in order
            with (
                isolated_torch(),
                logged_into(job.folder),
                progress(job.folder, quiet) as watching,
                resumable(job),
            ):
                job.run(watching)
        return Run(job.folder, trust=trusted(job.config))


class Job(NamedTuple):
    """A run that was found to be in order, in its folder."""

    cfg: DictConfig
    config: dict
    folder: Path
    fresh: bool
    finished: bool

    def run(self, watching: Sequence[Any]) -> None:
        """Train it."""
        from dlcourse.engine.job import start

        with open_dict(self.cfg.hydra):
            self.cfg.hydra.runtime.output_dir = str(self.folder.absolute())
        HydraConfig.instance().set_config(self.cfg)
        start(self.config, fresh=self.fresh, watching=watching)


def prepare(overrides: list[str], config_dir: str | None) -> Job:
    """Compose and check a run, and make or find its folder."""
    cfg = compose(overrides, config_dir)
    config = plain(cfg)
    check_key("resume", config["resume"])
    if config["resume"] is not None:
        folder, fresh = Path(config["resume"]), False
        config = resumed(folder, config, overrides, config_dir)
        moved = run_folder.end_moved(folder, config)
        if run_folder.read_result(folder) is not None and not moved:
            return Job(cfg, config, folder, fresh, True)
        run_folder.refuse_diverged(folder)
        check(config)
    else:
        check(config)
        wanted = Path(cfg.hydra.run.dir)
        fresh = not any(key_of(override) == "hydra.run.dir" for override in overrides)
        folder = run_folder.claim(wanted) if fresh else run_folder.make(wanted)
    return Job(cfg, config, folder, fresh, False)


@contextmanager
def resumable(job: Job) -> Iterator[None]:
    """Say how a run is resumed that is interrupted in the block."""
    try:
        yield
    except KeyboardInterrupt:
        again = f'dlcourse.train(resume="{run_folder.shown(job.folder)}")'
        print(f"\nStopped. To resume: {again}", file=sys.stderr)
        raise


def trusted(config: dict) -> tuple[str, ...]:
    """Return the modules outside dlcourse that a run's own command has named."""
    return tuple(dict.fromkeys(name.split(".")[0] for name in foreign(config)))
