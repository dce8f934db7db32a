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
from dlcourse.sweep.course import Course
from dlcourse.sweep.job import Job
from dlcourse.sweep.launched import Answer, carry_out, reason_of
from dlcourse.sweep.progress import Progress
from dlcourse.sweep.record import OUTPUT
from dlcourse.terminal.command import own_name

EVERY = 1.0  # seconds between two looks at the jobs' folders
BROUGHT = ("DLCOURSE_DATA",)  # variables that a job has to have
PATIENCE = 60.0  # seconds until a file that one machine has written is seen on another, by NFS


def launch(
    course: Course, progress: Progress, master: DictConfig, hydra: HydraContext, task: TaskFunction
) -> None:
    """Hand the jobs to a launcher: all at once, or in a search ``workers`` at a time.

    What became of a job is read from its folder, which has to be on a disk that all machines see.
    Nothing is heard of single epochs, so no trial is pruned. Raises UserError where the launcher
    cannot start a job.
    """
    environment = {name: os.environ[name] for name in BROUGHT if name in os.environ}
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra,
        task_function=partial(carry_out, task, environment),
        config=placed(master, course.folder),
    )
    size = course.plan.settings.workers if course.plan.is_search else None
    number = 0
    while batch := next_batch(course, size):
        for job in batch:
            progress.starts(job)
        words = [words_of(course, job) for job in batch]
        with watched(course, progress, batch) as left:
            try:
                with every_job_asked(launcher):
                    returned = launcher.launch(words, initial_job_idx=number)
                answers = [answer_of(one) for one in returned]
            except Exception as error:
                if not any((job.folder / OUTPUT).exists() for job in batch):
                    raise UserError(has_started_none(master, course, error)) from error
                answers = [Answer(reason_of(error))] * len(batch)
        number += len(batch)
        until = monotonic() + PATIENCE
        for job, answer in zip(batch, answers, strict=True):
            if job in left:
                ended(course, progress, job, answer, until)
        if course.failed and not course.plan.settings.policy.goes_on:
            return


def placed(master: DictConfig, folder: Path) -> DictConfig:
    """Return a launcher's config, in which the sweep's folder is the one that was found for it."""
    config = master.copy()
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = str(folder.absolute())
    return config


def next_batch(course: Course, size: int | None) -> list[Job]:
    """Return so many jobs, or all there are."""
    batch: list[Job] = []
    while (size is None or len(batch) < size) and (job := course.next_job()) is not None:
        batch.append(job)
    return batch


def words_of(course: Course, job: Job) -> list[str]:
    """Return the words with which a launcher starts a job in the folder that is meant for it."""
    return [
        *job.cfg.hydra.overrides.task,
        f"hydra.sweep.dir={quoted(str(course.folder.absolute()))}",
        f"hydra.sweep.subdir={quoted(job.folder.name)}",
    ]


@contextmanager
def watched(course: Course, progress: Progress, batch: Sequence[Job]) -> Iterator[set[Job]]:
    """Tell of the jobs that are done while others are not; yield those that are left."""
    left, over = set(batch), Event()

    def look() -> None:
        while not over.wait(EVERY):
            for job in [job for job in batch if job in left]:
                if is_done(course, progress, job):
                    left.discard(job)

    watch = Thread(target=look, daemon=True)
    watch.start()
    try:
        yield left
    finally:
        over.set()
        watch.join()


def is_done(course: Course, progress: Progress, job: Job) -> bool:
    """Take in that a job has left a result, if it has."""
    result = job.result()
    if result is None:
        return False
    course.close(job, "done", result["best"])
    progress.done(job, result["best"], result["seconds"])
    return True


def ended(course: Course, progress: Progress, job: Job, answer: Answer, until: float) -> None:
    """Take in how a job has ended; one that says it is done has until then to be seen."""
    while not is_done(course, progress, job):
        if answer.reason is None and monotonic() < until:
            sleep(0.1)
            list(job.folder.parent.glob("*"))  # makes NFS look again
            continue
        reason = answer.reason or (
            f"it is done, and its result is not in {run_folder.shown(job.folder)}: hydra.sweep.dir "
            "has to be on a disk that all machines share"
        )
        said = job.folder / OUTPUT
        again = course.fail(job, reason, None, final=answer.final)
        progress.failed(
            job, reason, run_folder.shown(said if said.exists() else course.folder), again=again
        )
        return


@contextmanager
def every_job_asked(launcher: Launcher) -> Iterator[None]:
    """Let a launcher ask each job how it has ended, although others have died.

    Those for submitit and ray ask one job after the other, and raise at the first that has no
    answer: those behind it run on, and nobody hears of them.
    """
    plugin = type(launcher).__module__
    if "hydra_submitit_launcher" in plugin:
        from submitit import Job as Owner

        name, put = "results", lambda answer: [answer]
    elif "hydra_ray_launcher" in plugin:
        import ray as Owner

        name, put = "get", lambda answer: answer
    else:
        yield
        return
    asked = getattr(Owner, name)
    setattr(Owner, name, forgiving(asked, put))
    try:
        yield
    finally:
        setattr(Owner, name, asked)


def forgiving(ask: Callable, put: Callable[[JobReturn], Any]) -> Callable:
    """Return a question to a job that is answered also for one that has died."""

    @wraps(ask)
    def asked(*args: Any, **more: Any) -> Any:
        try:
            return ask(*args, **more)
        except Exception as error:
            answer = Answer(reason_of(error))
            return put(JobReturn(status=JobStatus.COMPLETED, _return_value=answer))

    return asked


def answer_of(returned: JobReturn) -> Answer:
    """Return how a job says it has ended."""
    try:
        answer = returned.return_value
    except Exception as error:  # Hydra's own, before the job was begun
        return Answer(reason_of(error))
    return answer if isinstance(answer, Answer) else Answer("it has not said how it ended")


def has_started_none(master: DictConfig, course: Course, error: Exception) -> str:
    """Say that the launcher itself cannot do its work."""
    word = f"hydra/launcher={master.hydra.runtime.choices['hydra/launcher']}"
    return (
        f"{word} has started no job: {reason_of(error)}\n"
        f"Type {own_name()} resume={run_folder.shown(course.folder)} where it can, or leave {word} "
        "out to run the jobs on this machine"
    )
