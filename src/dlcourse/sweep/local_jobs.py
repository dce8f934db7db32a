"""Run jobs in processes on this machine."""

from dlcourse.runs import run_folder
from dlcourse.schema.run_files import OUTPUT
from dlcourse.sweep.groups import Groups
from dlcourse.sweep.job import Job
from dlcourse.sweep.methods.search import JobState
from dlcourse.sweep.pool import STOP_TIMEOUT, Pool, RunningJob, reason_of_end
from dlcourse.sweep.progress import Progress
from dlcourse.sweep.scheduler import Scheduler
from dlcourse.terminal.installed import short_path

POLL_OTHERS = 1.0  # seconds between two looks at the jobs of other commands


def run_locally(
    scheduler: Scheduler, pool: Pool, progress: Progress, groups: Groups | None = None
) -> None:
    """Run the jobs of a sweep, until none is left or one fails with ``on_error=stop``.

    groups: the jobs that are trained together; None to run every job by itself.
    """
    continues = scheduler.plan.settings.on_error.continues
    prunes, limit = scheduler.search.prunes, scheduler.plan.settings.job_timeout
    try:
        while continues or not scheduler.failed:
            while pool.has_room and (jobs := next_jobs(scheduler, groups)):
                for job in jobs:  # of a sweep that was killed
                    run_folder.wait_until_free(job.folder, STOP_TIMEOUT)
                    progress.starts(job)
                if len(jobs) > 1:
                    pool.start_group(jobs)
                else:
                    pool.start(jobs[0], pruned=prunes)
            if not pool.running and not scheduler.elsewhere:
                return
            for running, kind, content in pool.events(POLL_OTHERS):
                if kind == "epoch":
                    progress.epoch(running.job, *content)
                    should_continue = scheduler.report(running.job, *content)
                    if prunes:
                        running.answer(should_continue)
                elif groups is not None and groups.has_failed(running):
                    scheduler.trials.queue.append(running.job)
                    progress.ungrouped(running.job, reason_of_end(running, content))
                else:
                    close_local_job(scheduler, running, content, progress)
            if limit is not None:
                pool.stop_late(limit)
            if scheduler.sharing is not None:
                scheduler.sharing.refuse_if_lost()
            for job, result in scheduler.ended_elsewhere():
                progress.elsewhere(job, result)
    finally:
        pool.stop()


def next_jobs(scheduler: Scheduler, groups: Groups | None) -> list[Job]:
    """Return the jobs to start next in one process; empty if no job is left to start."""
    if groups is not None:
        return groups.next_group(scheduler)
    job = scheduler.next_job()
    return [] if job is None else [job]


def close_local_job(
    scheduler: Scheduler, running: RunningJob, status: int | None, progress: Progress
) -> None:
    """Record how the process of a job has ended, and show it."""
    job, result = running.job, running.job.result()
    if result is not None:
        scheduler.close(job, JobState.DONE, result["best"])
        progress.done(job, result["best"], running.seconds / running.group)
    elif running.ending and running.ending[0] == "pruned" and running.last:
        scheduler.prune(job, *running.last)
        progress.pruned(job, *running.last)
    else:
        reason = reason_of_end(running, status)
        final = bool(running.ending) and running.ending[-1] is True
        again = scheduler.fail(job, reason, status, final=final)
        progress.failed(job, reason, short_path(job.folder / OUTPUT), again=again)
