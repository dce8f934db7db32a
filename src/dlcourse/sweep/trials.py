"""The trials of a sweep that have started, and the queue of their jobs."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from dlcourse.sweep.job import Job
from dlcourse.sweep.methods.search import JobState, Search, Trial


@dataclass
class OpenTrial:
    """A trial that has started, with at least one job that has not ended.

    remaining: the folders of the jobs that have not ended. values: the value of each job that is
    done, by its folder. state: DONE, as long as no job is pruned or failed.
    """

    trial: Trial
    jobs: Sequence[Job]
    remaining: set[Path]
    values: dict[Path, float] = field(default_factory=dict)
    state: JobState = JobState.DONE

    def step(self, job: Job, epoch: int) -> int:
        """Return the number of an epoch, counted through all jobs of the trial and all folds."""
        split, folders = job.config["split"], [other.folder for other in self.jobs]
        folds = split.get("inner") or split.get("folds", 1) * split.get("repeats", 1)
        return folders.index(job.folder) * folds * ceil(job.config["max_epochs"]) + epoch

    @property
    def mean(self) -> float | None:
        """The mean value of the jobs that are done; None without one."""
        return sum(self.values.values()) / len(self.values) if self.values else None


class Trials:
    """Tracks open trials: passes the values of their jobs to the search, and how they ended.

    A job that several trials need is run once; each of them waits for it.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self.queue: deque[Job] = deque()
        self.waiting: dict[Path, list[OpenTrial]] = {}
        """For the folder of each job that has not ended: the trials that wait for it."""

    def open(self, trial: Trial, jobs: Sequence[Job]) -> list[Job]:
        """Start a trial; return its jobs that no earlier trial waits for."""
        opened = OpenTrial(trial, jobs, {job.folder for job in jobs})
        new = [job for job in jobs if job.folder not in self.waiting]
        for job in jobs:
            self.waiting.setdefault(job.folder, []).append(opened)
        return new

    def report(self, job: Job, epoch: int, value: float) -> bool:
        """Report an epoch's value to the search; return whether the job should continue."""
        answers = [
            self.search.report(opened.trial.number, opened.step(job, epoch), value)
            for opened in self.waiting[job.folder]
        ]
        return all(answers)

    def close(self, job: Job, state: JobState, value: float | None = None) -> int:
        """Record how a job ended; return the number of other jobs that are dropped from the queue.

        If the search prunes, the remaining jobs of a pruned or failed trial are not run.
        """
        dropped = 0
        for opened in self.waiting.pop(job.folder, []):
            opened.remaining.discard(job.folder)
            if value is not None:
                opened.values[job.folder] = value
            if state != JobState.DONE and opened.state != JobState.FAILED:
                opened.state = state
                if self.search.prunes:
                    dropped += self.drop(opened)
            if not opened.remaining:
                self.search.tell(opened.trial.number, opened.mean, opened.state)
        return dropped

    def drop(self, opened: OpenTrial) -> int:
        """Remove from the queue a trial's jobs that no other trial needs; return their number."""
        dropped = 0
        for job in opened.jobs:
            if job in self.queue and self.waiting.get(job.folder) == [opened]:
                self.queue.remove(job)
                del self.waiting[job.folder]
                opened.remaining.discard(job.folder)
                dropped += 1
        return dropped
