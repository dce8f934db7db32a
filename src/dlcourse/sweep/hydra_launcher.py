"""Jobs that a launcher of Hydra runs on other machines: ``hydra/launcher=submitit_slurm``."""

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
from dlcourse.schema.hydra_api import typed_overrides
from dlcourse.schema.overrides import quoted
from dlcourse.schema.run_files import OUTPUT
from dlcourse.sweep.job import Job
from dlcourse.sweep.methods.search import JobState
from dlcourse.sweep.progress import Progress
from dlcourse.sweep.remote_job import RemoteEnding, reason_of_error, run_remote_job
from dlcourse.sweep.scheduler import Scheduler
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path

POLL_INTERVAL = 1.0  # seconds between two checks of the jobs' folders
PASSED_VARIABLES = ("DLCOURSE_DATA",)  # environment variables that a job needs
NFS_DELAY = 60.0  # seconds until a file that another machine has written is visible on NFS, at most


def run_on_launcher(
    scheduler: Scheduler,
    progress: Progress,
    master: DictConfig,
    hydra: HydraContext,
    task: TaskFunction,
) -> None:
    """Run the jobs with a launcher: all at once, or in a search ``workers`` at a time.

    Results are read from the jobs' folders, which must be on a disk that all machines share.
    Epochs are not reported, so no trial is pruned. Raises UserError if the launcher cannot start
    any job.
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
        overrides = [launch_overrides(scheduler, job) for job in batch]
        with watch_results(scheduler, progress, batch) as left:
            try:
                with keep_launcher_collecting(launcher):
                    returned = launcher.launch(overrides, initial_job_idx=number)
                answers = [ending_of(one) for one in returned]
            except Exception as error:
                if not any((job.folder / OUTPUT).exists() for job in batch):
                    raise UserError(launcher_failure_text(master, scheduler, error)) from error
                answers = [RemoteEnding(reason_of_error(error))] * len(batch)
        number += len(batch)
        deadline = monotonic() + NFS_DELAY
        for job, answer in zip(batch, answers, strict=True):
            if job in left:
                close_remote_job(scheduler, progress, job, answer, deadline)
        if scheduler.failed and not scheduler.plan.settings.on_error.continues:
            return


def with_sweep_folder(master: DictConfig, folder: Path) -> DictConfig:
    """Return the config for the launcher, with the sweep's folder in it."""
    config = master.copy()
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder.absolute())
    return config


def next_batch(scheduler: Scheduler, size: int | None) -> list[Job]:
    """Return the next ``size`` jobs, fewer if fewer are left; None for all of them."""
    batch: list[Job] = []
    while (size is None or len(batch) < size) and (job := scheduler.next_job()) is not None:
        batch.append(job)
    return batch


def launch_overrides(scheduler: Scheduler, job: Job) -> list[str]:
    """Return the overrides with which a launcher runs a job in its own folder."""
    return [
        *typed_overrides(job.cfg),
        f"hydra.sweep.dir={quoted(str(scheduler.folder.absolute()))}",
        f"hydra.sweep.subdir={quoted(job.folder.name)}",
    ]


@contextmanager
def watch_results(
    scheduler: Scheduler, progress: Progress, batch: Sequence[Job]
) -> Iterator[set[Job]]:
    """Report each job of the batch as soon as its result exists; yield the set of unreported jobs.

    The set shrinks while the block runs.
    """
    left, stopped = set(batch), Event()

    def poll() -> None:
        while not stopped.wait(POLL_INTERVAL):
            for job in [job for job in batch if job in left]:
                if close_if_done(scheduler, progress, job):
                    left.discard(job)

    watch = Thread(target=poll, daemon=True)
    watch.start()
    try:
        yield left
    finally:
        stopped.set()
        watch.join()


def close_if_done(scheduler: Scheduler, progress: Progress, job: Job) -> bool:
    """Record and report a job as done if it has a result; return whether it has."""
    result = job.result()
    if result is None:
        return False
    scheduler.close(job, JobState.DONE, result["best"])
    progress.done(job, result["best"], result["seconds"])
    return True


def close_remote_job(
    scheduler: Scheduler, progress: Progress, job: Job, answer: RemoteEnding, deadline: float
) -> None:
    """Record how a job has ended.

    If it reports success, wait until ``deadline`` for its result file, which NFS shows late.
    """
    while not close_if_done(scheduler, progress, job):
        if answer.reason is None and monotonic() < deadline:
            sleep(0.1)
            list(job.folder.parent.glob("*"))  # makes NFS refresh the folder
            continue
        reason = answer.reason or (
            f"it is done, but its result is not in {short_path(job.folder)}: "
            "hydra.sweep.dir must be on a disk that all machines share"
        )
        output = job.folder / OUTPUT
        again = scheduler.fail(job, reason, None, final=answer.final)
        progress.failed(
            job,
            reason,
            short_path(output if output.exists() else scheduler.folder),
            again=again,
        )
        return


@contextmanager
def keep_launcher_collecting(launcher: Launcher) -> Iterator[None]:
    """Let a launcher collect the results of all jobs, even if some have died.

    The launchers for submitit and ray fetch one result after the other and raise at the first job
    that has died, so that the results of the jobs after it would be lost.
    """
    plugin = type(launcher).__module__
    if "hydra_submitit_launcher" in plugin:
        from submitit import Job as Owner  # pyright: ignore[reportMissingImports]

        name, wrap = "results", lambda answer: [answer]
    elif "hydra_ray_launcher" in plugin:
        import ray as Owner  # pyright: ignore[reportMissingImports]

        name, wrap = "get", lambda answer: answer
    else:
        yield
        return
    original = getattr(Owner, name)
    setattr(Owner, name, returns_errors(original, wrap))
    try:
        yield
    finally:
        setattr(Owner, name, original)


def returns_errors(fetch: Callable, wrap: Callable[[JobReturn], Any]) -> Callable:
    """Return ``fetch`` changed to return an error as a job's result instead of raising it."""

    @wraps(fetch)
    def fetched(*args: Any, **more: Any) -> Any:
        try:
            return fetch(*args, **more)
        except Exception as error:
            answer = RemoteEnding(reason_of_error(error))
            return wrap(JobReturn(status=JobStatus.COMPLETED, _return_value=answer))

    return fetched


def ending_of(returned: JobReturn) -> RemoteEnding:
    """Return how a job has ended, from what the launcher returned for it."""
    try:
        answer = returned.return_value
    except Exception as error:  # Hydra's own, before the job was started
        return RemoteEnding(reason_of_error(error))
    return (
        answer
        if isinstance(answer, RemoteEnding)
        else RemoteEnding("it did not report how it ended")
    )


def launcher_failure_text(master: DictConfig, scheduler: Scheduler, error: Exception) -> str:
    """Return the message that the launcher could not start any job."""
    override = f"hydra/launcher={master.hydra.runtime.choices['hydra/launcher']}"
    folder = short_path(scheduler.folder)
    return (
        f"{override} has started no job: {reason_of_error(error)}\n"
        f"Type {own_name()} resume={folder} where it can, or leave {override} "
        "out to run the jobs on this machine"
    )
