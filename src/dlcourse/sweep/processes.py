"""Jobs in processes on this machine."""

from dlcourse.runs import run_folder
from dlcourse.sweep.course import Course
from dlcourse.sweep.pool import PATIENCE, Place, Pool, reason_of
from dlcourse.sweep.progress import Progress
from dlcourse.sweep.record import OUTPUT


def run(course: Course, pool: Pool, progress: Progress) -> None:
    """Run a sweep's jobs, some at a time, until none is left or one failure is enough."""
    goes_on = course.plan.settings.policy.goes_on
    asks = course.search.prunes
    try:
        while goes_on or not course.failed:
            while pool.has_room and (job := course.next_job()) is not None:
                run_folder.wait_until_free(job.folder, PATIENCE)  # of a sweep that was killed
                pool.start(job, pruned=asks)
                progress.starts(job)
            if not pool.places:
                return
            for place, kind, content in pool.events():
                if kind == "epoch":
                    progress.epoch(place.job, *content)
                    go_on = course.reported(place.job, *content)
                    if asks:
                        place.answer(go_on)
                else:
                    ended(course, place, content, progress)
    finally:
        pool.stop()


def ended(course: Course, place: Place, status: int | None, progress: Progress) -> None:
    """Take in that a job's process has ended, and say how."""
    job, result = place.job, place.job.result()
    if result is not None:
        course.close(job, "done", result["best"])
        progress.done(job, result["best"], place.seconds)
    elif place.told and place.told[0] == "pruned" and place.last:
        course.prune(job, *place.last)
        progress.pruned(job, *place.last)
    else:
        reason = reason_of(place, status)
        final = bool(place.told) and place.told[-1] is True
        again = course.fail(job, reason, status, final=final)
        progress.failed(job, reason, run_folder.shown(job.folder / OUTPUT), again=again)
