"""Schedules the jobs of a sweep: which one is next, which have ended, which is the best."""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from math import isnan
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.schema.run_files import FAILURE, PRUNED
from dlcourse.sweep.job import Job
from dlcourse.sweep.manifest import Manifest, read_failure, read_manifest, write_failure, write_note
from dlcourse.sweep.methods.search import JobState, Search, Trial
from dlcourse.sweep.plan import Plan
from dlcourse.sweep.sharing import Sharing
from dlcourse.sweep.trials import Trials


class Scheduler:
    """Hands out jobs, records how they ended, and keeps the manifest up to date.

    ranks: whether there is a best point, because the values of all points can be compared.
    sharing: with the other commands that run this sweep; None for none.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        manifest: Manifest,
        search: Search,
        *,
        ranks: bool = True,
        sharing: Sharing | None = None,
    ) -> None:
        self.plan, self.folder, self.manifest, self.search = plan, folder, manifest, search
        self.ranks, self.has_results = ranks, False
        self.trials = Trials(search)
        self.attempts: Counter[Path] = Counter()
        self.failed: dict[Path, str] = {}
        self.sharing = sharing
        self.elsewhere: dict[Path, Job] = {}  # jobs that other commands have claimed
        self.ended = 0  # jobs, those of earlier commands included
        self.best: tuple[float, str] | None = None
        self.recalled: dict[int, int] = {}  # trial number -> its number of jobs that count as ended
        earlier = read_manifest(folder)
        if plan.is_search and earlier is not None:
            manifest.points = sorted(earlier.points, key=lambda point: point["number"])
            for point in earlier.points:
                self.recall(point)
        elif earlier is not None and sharing is not None and sharing.others:
            manifest.points = earlier.points  # the other command may have drawn more of them
        for number, (point, jobs) in enumerate(zip(plan.points, plan.jobs, strict=True)):
            if not plan.is_search:
                manifest.set_point(number, point, [job.folder.name for job in jobs])
        self.write()

    @cached_property
    def total(self) -> int:
        """The number of the sweep's jobs; of a search, the largest number that it may have."""
        if self.plan.is_search:
            return self.plan.settings.options["trials"] * max(map(len, self.plan.jobs), default=1)
        return len({job.folder for jobs in self.plan.jobs for job in jobs})

    def write(self) -> None:
        """Write the manifest with all points so far."""
        self.manifest.write(self.folder)

    def recall(self, point: dict) -> None:
        """Count the jobs of a search's point that ended in an earlier command."""
        (first, *_), (same, *_) = self.plan.points, self.plan.jobs
        repeats = [job.overrides[len(first) :] for job in same]
        for name, repeat in zip(point["jobs"], repeats, strict=False):  # a refused point has 1 name
            self.plan.names.keep(name, (*point["words"], *repeat))
        jobs = [self.folder / name for name in point["jobs"]]
        results = [result for job in jobs if (result := run_folder.read_result(job)) is not None]
        for result in results:
            self.compare(result["best"], " ".join(point["words"]) or "defaults")
        notes = (job / note for job in jobs for note in (FAILURE, PRUNED))
        if len(results) == len(jobs) or any(note.exists() for note in notes):
            self.recalled[point["number"]] = len(jobs)
            self.ended += len(jobs)

    def compare(self, value: float, label: str) -> None:
        """Keep a value and its label if the value is the best so far."""
        self.has_results = True
        if isnan(value) or not self.ranks:  # NaN: a metric that is undefined in every epoch
            return
        sign = 1 if self.manifest.mode == "max" else -1
        if self.best is None or sign * value > sign * self.best[0]:
            self.best = (value, label)

    def next_job(self) -> Job | None:
        """Return the next job to start, or None if no trial is left to start."""
        while True:
            while not self.trials.queue:
                trial = self.search.ask()
                if trial is None:
                    return None
                self.begin(trial)
            job = self.trials.queue.popleft()
            if self.takes(job):
                for note in (FAILURE, PRUNED):
                    (job.folder / note).unlink(missing_ok=True)
                return job

    def takes(self, job: Job) -> bool:
        """Return whether this command may start a job, and not another one that shares the sweep.

        A job of another command stays in ``elsewhere`` until ``ended_elsewhere`` yields it.
        """
        if self.sharing is None:
            return True
        claimed = self.sharing.claim(job.folder.name)
        if claimed and job.result() is None:
            return True
        self.elsewhere[job.folder] = job
        return False

    def ended_elsewhere(self) -> Iterator[tuple[Job, dict | None]]:
        """Record the jobs that other commands have ended; yield each with its result if it is done.

        The jobs of a command that is gone are put back into the queue.
        """
        for job in list(self.elsewhere.values()):
            assert self.sharing is not None
            gone = not self.sharing.has_owner(job.folder.name)  # read before what it has written
            result, name = job.result(), job.folder.name
            if result is not None:
                del self.elsewhere[job.folder]
                self.close(job, JobState.DONE, result["best"])
                yield job, result
            elif self.sharing.has_failed(name):
                del self.elsewhere[job.folder]
                self.failed[job.folder] = (read_failure(job.folder) or {}).get("reason", "")
                self.close(job, JobState.FAILED)
                yield job, None
            elif gone:
                del self.elsewhere[job.folder]
                self.trials.queue.append(job)

    def ask_for_all(self) -> None:
        """Put the jobs of all trials that are left into the queue; not for a search."""
        while (trial := self.search.ask()) is not None:
            self.begin(trial)

    def begin(self, trial: Trial) -> None:
        """Put the jobs of a trial into the queue, except those that have ended."""
        try:
            jobs = self.jobs_of(trial)
        except UserError as error:  # only the corners of the space were checked before
            self.refuse(trial, str(error))
            return
        # the sweep was killed before the search got the result
        self.ended -= self.recalled.pop(trial.number, 0)
        for job in self.trials.open(trial, jobs):
            result = job.result()
            if result is not None:
                self.close(job, JobState.DONE, result["best"])
            elif job.folder in self.failed:  # in an earlier trial with the same point
                self.close(job, JobState.FAILED)
            else:
                self.trials.queue.append(job)

    def jobs_of(self, trial: Trial) -> list[Job]:
        """Return a trial's jobs with their folders; raises UserError if they cannot be run."""
        if not self.plan.is_search:
            return [job.inside(self.folder) for job in self.plan.jobs[trial.number]]
        jobs = [job.inside(self.folder) for job in self.plan.jobs_of(trial.point)]
        self.manifest.set_point(trial.number, trial.point, [job.folder.name for job in jobs])
        self.write()
        return jobs

    def refuse(self, trial: Trial, reason: str) -> None:
        """Record a trial whose config is not valid as failed."""
        folder = self.folder / self.plan.names.name(trial.point)
        write_failure(folder, reason, None, 0)
        self.failed[folder] = reason
        self.ended += 1
        self.manifest.set_point(trial.number, trial.point, [folder.name])
        self.search.tell(trial.number, None, JobState.FAILED)
        self.write()

    def report(self, job: Job, epoch: int, value: float) -> bool:
        """Report an epoch's value to the search; return whether the job should continue."""
        return self.trials.report(job, epoch, value)

    def close(self, job: Job, state: JobState, value: float | None = None) -> None:
        """Record that a job has ended, with its value where it is done."""
        self.ended += 1
        if value is not None:
            self.compare(value, job.label)
        self.ended += self.trials.close(job, state, value)

    def fail(self, job: Job, reason: str, status: int | None, *, final: bool) -> bool:
        """Record that a job has failed; return whether it is put back into the queue instead.

        status: the exit status of its process. final: the job would fail again in the same way.
        """
        self.attempts[job.folder] += 1
        if not final and self.attempts[job.folder] <= self.plan.settings.on_error.retries:
            self.trials.queue.appendleft(job)
            return True
        write_failure(job.folder, reason, status, self.attempts[job.folder])
        if self.sharing is not None:
            self.sharing.note_failure(job.folder.name)
        self.failed[job.folder] = reason
        self.close(job, JobState.FAILED)
        return False

    def prune(self, job: Job, epoch: int, value: float) -> None:
        """Record that a job was ended early, after an epoch with a value."""
        write_note(job.folder, PRUNED, {"epoch": epoch, "value": value})
        self.close(job, JobState.PRUNED)
