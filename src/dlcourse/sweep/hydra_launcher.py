"""Jobs on other machines, by one of Hydra's launchers: ``hydra/launcher=submitit_slurm``."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.schema.compose import quoted
from dlcourse.sweep.job import Job
from dlcourse.sweep.manifest import OUTPUT
from dlcourse.sweep.methods.search import JobState
from dlcourse.sweep.progress import Progress
from dlcourse.sweep.remote_job import RemoteEnding, reason_of_error, run_remote_job
from dlcourse.sweep.scheduler import Scheduler
from dlcourse.terminal.command import own_name

POLL_INTERVAL = 1.0  # seconds between two looks at the jobs' folders
PASSED_VARIABLES = ("DLCOURSE_DATA",)  # variables that a job has to have
NFS_DELAY = 60.0  # seconds until a file that one machine has written is seen on another, by NFS


def run_on_launcher(
    scheduler: Scheduler,
    progress: Progress,
    master: DictConfig,
    hydra: HydraContext,
    task: TaskFunction,
) -> None:
    """Hand the jobs to a launcher: all at once, or in a search ``workers`` at a time.

    What became of a job is read from its folder, which has to be on a disk that all machines see.
    Nothing is heard of single epochs, so no trial is pruned. Raises UserError where the launcher
    cannot start a job.
    """
    environment = {name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ}
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra,
        task_function=partial(run_remote_job, task, environment),
        config=with_sweep_folder(master, scheduler.folder),
    )
    size = scheduler.plan.settings.workers if scheduler.plan.is_search else None
    number = 0
    while batch := next_batch(scheduler, size):
        for job in batch:
            progress.starts(job)
        words = [launch_overrides(scheduler, job) for job in batch]
        with watch_results(scheduler, progress, batch) as left:
            try:
                with keep_launcher_collecting(launcher):
                    returned = launcher.launch(words, initial_job_idx=number)
                answers = [ending_of(one) for one in returned]
            except Exception as error:
                if not any((job.folder / OUTPUT).exists() for job in batch):
                    raise UserError(launcher_failure_text(master, scheduler, error)) from error
                answers = [RemoteEnding(reason_of_error(error))] * len(batch)
        number += len(batch)
        until = monotonic() + NFS_DELAY
        for job, answer in zip(batch, answers, strict=True):
            if job in left:
                close_remote_job(scheduler, progress, job, answer, until)
        if scheduler.failed and not scheduler.plan.settings.on_error.continues:
            return


def with_sweep_folder(master: DictConfig, folder: Path) -> DictConfig:
    """Return a launcher's config, in which the sweep's folder is the one that was found for it."""
    config = master.copy()
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder.absolute())
    return config


def next_batch(scheduler: Scheduler, size: int | None) -> list[Job]:
    """Return so many jobs, or all there are."""
    batch: list[Job] = []
    while (size is None or len(batch) < size) and (job := scheduler.next_job()) is not None:
        batch.append(job)
    return batch


def launch_overrides(scheduler: Scheduler, job: Job) -> list[str]:
    """Return the words with which a launcher starts a job in the folder that is meant for it."""
    return [
        *job.cfg.hydra.overrides.task,
        f"hydra.sweep.dir={quoted(str(scheduler.folder.absolute()))}",
        f"hydra.sweep.subdir={quoted(job.folder.name)}",
    ]


@contextmanager
def watch_results(
    scheduler: Scheduler, progress: Progress, batch: Sequence[Job]
) -> Iterator[set[Job]]:
    """Tell of the jobs that are done while others are not; yield those that are left."""
    left, over = set(batch), Event()

    def look() -> None:
        while not over.wait(POLL_INTERVAL):
            for job in [job for job in batch if job in left]:
                if close_if_done(scheduler, progress, job):
                    left.discard(job)

    watch = Thread(target=look, daemon=True)
    watch.start()
    try:
        yield left
    finally:
        over.set()
        watch.join()


def close_if_done(scheduler: Scheduler, progress: Progress, job: Job) -> bool:
    """Take in that a job has left a result, if it has."""
    result = job.result()
    if result is None:
        return False
    scheduler.close(job, JobState.DONE, result["best"])
    progress.done(job, result["best"], result["seconds"])
    return True


def close_remote_job(
    scheduler: Scheduler, progress: Progress, job: Job, answer: RemoteEnding, until: float
) -> None:
    """Take in how a job has ended; one that says it is done has until then to be seen."""
    while not close_if_done(scheduler, progress, job):
        if answer.reason is None and monotonic() < until:
            sleep(0.1)
            list(job.folder.parent.glob("*"))  # makes NFS look again
            continue
        reason = answer.reason or (
            f"it is done, and its result is not in {run_folder.shown(job.folder)}: hydra.sweep.dir "
            "has to be on a disk that all machines share"
        )
        said = job.folder / OUTPUT
        again = scheduler.fail(job, reason, None, final=answer.final)
        progress.failed(
            job, reason, run_folder.shown(said if said.exists() else scheduler.folder), again=again
        )
        return


@contextmanager
def keep_launcher_collecting(launcher: Launcher) -> Iterator[None]:
    """Let a launcher ask each job how it has ended, although others have died.

    Those for submitit and ray ask one job after the other, and raise at the first that has no
    answer: those behind it run on, and nobody hears of them.
    """
    plugin = type(launcher).__module__
    if "hydra_submitit_launcher" in plugin:
        from submitit import Job as Owner  # pyright: ignore[reportMissingImports]

        name, put = "results", lambda answer: [answer]
    elif "hydra_ray_launcher" in plugin:
        import ray as Owner  # pyright: ignore[reportMissingImports]

        name, put = "get", lambda answer: answer
    else:
        yield
        return
    asked = getattr(Owner, name)
    setattr(Owner, name, returns_errors(asked, put))
    try:
        yield
    finally:
        setattr(Owner, name, asked)


def returns_errors(ask: Callable, put: Callable[[JobReturn], Any]) -> Callable:
    """Return a question to a job that is answered also for one that has died."""

    @wraps(ask)
    def asked(*args: Any, **more: Any) -> Any:
        try:
            return ask(*args, **more)
        except Exception as error:
            answer = RemoteEnding(reason_of_error(error))
            return put(JobReturn(status=JobStatus.COMPLETED, _return_value=answer))

    return asked


def ending_of(returned: JobReturn) -> RemoteEnding:
    """Return how a job says it has ended."""
    try:
        answer = returned.return_value
    except Exception as error:  # Hydra's own, before the job was begun
        return RemoteEnding(reason_of_error(error))
    return (
        answer if isinstance(answer, RemoteEnding) else RemoteEnding("it has not said how it ended")
    )


def launcher_failure_text(master: DictConfig, scheduler: Scheduler, error: Exception) -> str:
    """Say that the launcher itself cannot do its work."""
    word = f"hydra/launcher={master.hydra.runtime.choices['hydra/launcher']}"
    folder = run_folder.shown(scheduler.folder)
    return (
        f"{word} has started no job: {reason_of_error(error)}\n"
        f"Type {own_name()} resume={folder} where it can, or leave {word} "
        "out to run the jobs on this machine"
    )
