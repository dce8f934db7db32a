"""The scheduler of a sweep: which jobs are still to be run, and what has become of the others."""

from collections import Counter, deque
from dataclasses import dataclass, field
from math import ceil, isnan
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.runs.run_folder import FAILURE, PRUNED
from dlcourse.sweep.job import Job
from dlcourse.sweep.manifest import Manifest, read_manifest, values_of, write_failure, write_note
from dlcourse.sweep.methods.search import Search, Trial
from dlcourse.sweep.plan import Plan


@dataclass
class RunningTrial:
    """A trial that has begun: its jobs, those still to end, and the figures of the others."""

    trial: Trial
    jobs: list[Job]
    left: set[Path]
    figures: dict[Path, float] = field(default_factory=dict)
    state: str = "done"

    def step(self, job: Job, number: int) -> int:
        """Return the step of a job's epoch, counted through all the trial's jobs."""
        split, before = job.config["split"], [other.folder for other in self.jobs]
        parts = split.get("inner") or split.get("folds", 1) * split.get("repeats", 1)
        return before.index(job.folder) * parts * ceil(job.config["max_epochs"]) + number


class Scheduler:
    """Hands out jobs, records how they ended, and writes down which point has which jobs.

    ranks: whether there is a best point, because the values of all points can be compared.
    """

    def __init__(
        self, plan: Plan, folder: Path, told: Manifest, search: Search, *, ranks: bool = True
    ) -> None:
        self.ranks, self.has_results = ranks, False
        self.plan, self.folder, self.told, self.search = plan, folder, told, search
        self.queue: deque[Job] = deque()
        self.open: dict[Path, list[RunningTrial]] = {}  # by the folder of a job that has not ended
        self.attempts: Counter[Path] = Counter()
        self.failed: dict[Path, str] = {}
        self.ended = 0  # jobs, those of earlier commands included
        self.best: tuple[float, str] | None = None
        self.recalled: dict[int, int] = {}  # by a trial's number, its jobs that count as ended
        earlier = read_manifest(folder)
        self.points: dict[int, dict] = {}
        if plan.is_search and earlier is not None:
            self.points = {point["number"]: point for point in earlier.points}
            for point in earlier.points:
                self.recall(point)
        for number, (point, jobs) in enumerate(zip(plan.points, plan.jobs, strict=True)):
            if not plan.is_search:
                self.note(Trial(number, point), [job.inside(folder) for job in jobs])
        self.write()

    @property
    def total(self) -> int:
        """How many jobs the sweep has; of a search, how many it may have."""
        if self.plan.is_search:
            return self.plan.settings.options["trials"] * max(map(len, self.plan.jobs), default=1)
        return len({job.folder for jobs in self.plan.jobs for job in jobs})

    def recall(self, point: dict) -> None:
        """Take in what became of a search's point in an earlier command."""
        (first, *_), (same, *_) = self.plan.points, self.plan.jobs
        repeats = [job.words[len(first) :] for job in same]
        for name, repeat in zip(point["jobs"], repeats, strict=False):  # a refused one has one name
            self.plan.names.keep(name, (*point["words"], *repeat))
        jobs = [self.folder / name for name in point["jobs"]]
        results = [result for job in jobs if (result := run_folder.read_result(job)) is not None]
        for result in results:
            self.compare(result["best"], " ".join(point["words"]) or "defaults")
        notes = (job / note for job in jobs for note in (FAILURE, PRUNED))
        if len(results) == len(jobs) or any(note.exists() for note in notes):
            self.recalled[point["number"]] = len(jobs)
            self.ended += len(jobs)

    def compare(self, figure: float, label: str) -> None:
        """Keep the best figure so far, and what has reached it."""
        self.has_results = True
        if isnan(figure):  # undefined in every epoch
            return
        sign = 1 if self.told.mode == "max" else -1
        if not self.ranks:
            return
        if self.best is None or sign * figure > sign * self.best[0]:
            self.best = (figure, label)

    def note(self, trial: Trial, jobs: list[Job]) -> None:
        """Keep in mind which jobs a point has."""
        self.points[trial.number] = noted(trial, [job.folder.name for job in jobs])

    def write(self) -> None:
        """Write down the points that there are so far."""
        self.told.points = [self.points[number] for number in sorted(self.points)]
        self.told.write(self.folder)

    def next_job(self) -> Job | None:
        """Return a job to be started, or None: there is none left, or none before others end."""
        while not self.queue:
            trial = self.search.ask()
            if trial is None:
                return None
            self.begin(trial)
        job = self.queue.popleft()
        for note in (FAILURE, PRUNED):
            (job.folder / note).unlink(missing_ok=True)
        return job

    def begin(self, trial: Trial) -> None:
        """Put a trial's jobs into the queue, but for those that have ended or will anyway."""
        try:
            jobs = self.jobs_of(trial)
        except UserError as error:  # a point that a search has found between its corners
            self.refuse(trial, str(error))
            return
        self.ended -= self.recalled.pop(trial.number, 0)  # killed before the search was told
        opened = RunningTrial(trial, jobs, {job.folder for job in jobs})
        for job in jobs:
            begun = job.folder in self.open
            self.open.setdefault(job.folder, []).append(opened)
            if not begun:
                result = job.result()
                if result is not None:
                    self.close(job, "done", result["best"])
                elif job.folder in self.failed:  # as the same point before it
                    self.close(job, "failed")
                else:
                    self.queue.append(job)

    def refuse(self, trial: Trial, reason: str) -> None:
        """Take in that a point cannot be run at all, and write down why."""
        folder = self.folder / self.plan.names.name(trial.point)
        write_failure(folder, reason, None, 0)
        self.failed[folder] = reason
        self.ended += 1
        self.points[trial.number] = noted(trial, [folder.name])
        self.search.tell(trial.number, None, "failed")
        self.write()

    def jobs_of(self, trial: Trial) -> list[Job]:
        """Return a trial's jobs with their folders."""
        if not self.plan.is_search:
            return [job.inside(self.folder) for job in self.plan.jobs[trial.number]]
        jobs = [job.inside(self.folder) for job in self.plan.jobs_of(trial.point)]
        self.note(trial, jobs)
        self.write()
        return jobs

    def reported(self, job: Job, number: int, figure: float) -> bool:
        """Take in an epoch's figure; return whether the job should go on."""
        answers = [
            self.search.report(opened.trial.number, opened.step(job, number), figure)
            for opened in self.open[job.folder]
        ]
        return all(answers)

    def close(self, job: Job, state: str, figure: float | None = None) -> None:
        """Take in how a job has ended: state is done, pruned or failed."""
        self.ended += 1
        if figure is not None:
            self.compare(figure, job.label)
        for opened in self.open.pop(job.folder, []):
            opened.left.discard(job.folder)
            if figure is not None:
                opened.figures[job.folder] = figure
            if state != "done" and opened.state != "failed":
                opened.state = state
                if self.search.prunes:
                    self.drop(opened)
            if not opened.left:
                figures = opened.figures.values()
                mean = sum(figures) / len(figures) if figures else None
                self.search.tell(opened.trial.number, mean, opened.state)

    def drop(self, opened: RunningTrial) -> None:
        """Take a trial's jobs out of the queue that nobody else waits for."""
        for job in opened.jobs:
            if job in self.queue and self.open.get(job.folder) == [opened]:
                self.queue.remove(job)
                del self.open[job.folder]
                opened.left.discard(job.folder)
                self.ended += 1  # without having begun

    def fail(self, job: Job, reason: str, status: int | None, *, final: bool) -> bool:
        """Take in that a job has failed; return whether it is put back into the queue instead.

        final: it would fail again for the same reason.
        """
        self.attempts[job.folder] += 1
        if not final and self.attempts[job.folder] <= self.plan.settings.on_error.retries:
            self.queue.appendleft(job)
            return True
        write_failure(job.folder, reason, status, self.attempts[job.folder])
        self.failed[job.folder] = reason
        self.close(job, "failed")
        return False

    def prune(self, job: Job, epoch: int, figure: float) -> None:
        """Take in that a job was ended early, and write it down."""
        write_note(job.folder, PRUNED, {"epoch": epoch, "value": figure})
        self.close(job, "pruned")


def noted(trial: Trial, jobs: list[str]) -> dict:
    """Return what is written down of a point; jobs: the names of its folders."""
    values = values_of(trial.point)
    return {"number": trial.number, "words": list(trial.point), "values": values, "jobs": jobs}
