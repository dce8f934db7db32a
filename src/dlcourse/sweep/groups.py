"""Which jobs of a sweep are trained together: those that differ in numbers alone."""

from collections import Counter
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

from dlcourse import atomic_files
from dlcourse.schema.overrides import is_among, is_free, leaves
from dlcourse.sweep.job import Job
from dlcourse.sweep.plan import Plan
from dlcourse.sweep.pool import RunningJob
from dlcourse.sweep.scheduler import Scheduler

MAY_DIFFER = (
    "seed", "max_epochs", "max_time", "stop", "schedule", "init", "split.seed", "split.fold",
    "data.seed", "data.random_labels", "data.noise",
)  # fmt: skip
"""Keys in which the jobs of a group may differ at will: none changes the shape of a tensor."""
NUMBERS_MAY_DIFFER = ("optim", "loss", "regularizer", "clip", "average", "augment")
"""Groups of options whose numbers may differ, if all are zero or none is."""
MOST_MODELS = 64
MOST_PARAMETERS = 20_000_000
"""Of all models of a group; with their gradients, moments and best weights they take 0.5 GB."""


class Groups:
    """Divides the jobs of a sweep into groups, each of which one process trains together.

    Every worker gets the same number of the jobs of a kind. alone: the folders of jobs whose group
    has failed as a whole; each is run by itself.
    """

    def __init__(self, plan: Plan, parameters: Mapping[str, int]) -> None:
        self.workers = plan.settings.workers
        self.parameters = parameters
        self.alone: set[Path] = set()
        self.kinds: dict[str, str] = {}  # by the name of a job's folder
        jobs = {job.folder.name: job for jobs in plan.jobs for job in jobs}
        self.counts = Counter(map(self.kind, jobs.values()))

    def kind(self, job: Job) -> str:
        """Return a text that is equal for jobs that can be trained together."""
        name = job.folder.name
        if name not in self.kinds:
            self.kinds[name] = kind_of(job.config)
        return self.kinds[name]

    def size(self, job: Job) -> int:
        """Return the largest number of jobs in the group of a job; 1 for a job by itself."""
        if job.folder in self.alone:
            return 1
        models = MOST_MODELS
        if parameters := self.parameters.get(job.folder.name):
            models = min(models, MOST_PARAMETERS // parameters)
        return max(
            1, min(ceil(self.counts[self.kind(job)] / self.workers), models // models_of(job))
        )

    def has_failed(self, running: RunningJob) -> bool:
        """Return whether a job has ended only because its group has: it is run by itself then."""
        if running.group == 1 or running.ending or running.job.result() is not None:
            return False
        self.alone.add(running.job.folder)
        return True

    def next_group(self, scheduler: Scheduler) -> list[Job]:
        """Return the next jobs to start in one process; empty if no job is left to start."""
        first = scheduler.next_job()
        if first is None or self.size(first) == 1:
            return [] if first is None else [first]
        scheduler.ask_for_all()
        queue = scheduler.trials.queue
        alike = [one for one in queue if self.kind(one) == self.kind(first)]
        alike = [one for one in alike if one.folder not in self.alone][: self.size(first) - 1]
        others = [one for one in queue if one not in alike]
        queue.clear()
        queue.extend([*alike, *others])
        group = [first]
        while queue and queue[0] in alike and (job := scheduler.next_job()) is not None:
            if job not in alike:  # another command has claimed the jobs before it
                queue.appendleft(job)
                break
            group.append(job)
        return group


def kind_of(config: Mapping[str, Any]) -> str:
    """Return a text that is equal for configs whose models can be trained together."""
    kept = {}
    for key, value in leaves(dict(config)):
        if is_free(key) or is_among(key, MAY_DIFFER):
            continue
        of_numbers = is_among(key, NUMBERS_MAY_DIFFER)
        many = isinstance(value, list) and bool(value)
        every = value if many else [value]
        if of_numbers and all(type(number) in (int, float) for number in every):
            kept[key] = "zero" if not any(every) else "numbers" if many else "number"
        else:
            kept[key] = value
    return atomic_files.to_json(kept)


def models_of(job: Job) -> int:
    """Return the number of models that a job trains."""
    split = job.config["split"]
    return split.get("inner") or split.get("folds", 1) * split.get("repeats", 1)


def group_line(groups: Groups, plan: Plan) -> str:
    """Return which jobs of a sweep are trained together, in one line."""
    jobs = list({job.folder: job for jobs in plan.jobs for job in jobs}.values())
    sizes: Counter[int] = Counter()
    for kind in dict.fromkeys(map(groups.kind, jobs)):
        some = [job for job in jobs if groups.kind(job) == kind]
        most = groups.size(some[0])
        full, rest = divmod(len(some), most)
        sizes += Counter({most: full, rest: 1 if rest else 0})
    alone = sizes.pop(1, 0)
    parts = [f"{number} group{'s' * (number > 1)} of {size} jobs" for size, number in sizes.items()]
    parts += [f"{alone} job{'s' * (alone > 1)} alone"] if alone else []
    large = [count for count in groups.parameters.values() if count > MOST_PARAMETERS // 2]
    why = f" (models of {max(large):,} parameters keep a processor busy alone)" if large else ""
    return f"engine=together: {', '.join(parts)}{why}"


def why_not(plan: Plan, launcher: str) -> str:
    """Return why the jobs of a sweep are not grouped; empty if they are.

    launcher: the launcher of Hydra that runs the jobs; empty if they run on this machine.
    """
    reason = ""
    if plan.is_search:
        reason = "sweep=optuna proposes its points one after another"
    if launcher:
        reason = f"hydra/launcher={launcher} starts every job by itself"
    return f"engine=together: {reason}; only the folds of a job are trained together" * bool(reason)
