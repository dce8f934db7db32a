"""A sweep's words read in the test's own process, and courses of made-up jobs."""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path

from dlcourse.schema.compose import CONFIGS, compose_job, keep_for_options
from dlcourse.sweep.conditional_keys import ConditionalKeys
from dlcourse.sweep.job import FolderNames, Job
from dlcourse.sweep.manifest import Manifest
from dlcourse.sweep.plan import Plan, make_plan
from dlcourse.sweep.scheduler import Scheduler
from dlcourse.sweep.search_space import Space, read_spaces
from dlcourse.sweep.settings import read_on_error

SMALL = ("model=mlp", "data.examples=60", "max_epochs=2")


@cache
def loader() -> ConfigLoaderImpl:
    return ConfigLoaderImpl(create_config_search_path(str(CONFIGS)))


def spaces_of(*words: str) -> list[Space]:
    """Return what a command's words span."""
    return read_spaces(words, loader())[1]


def conditional_keys_of(*words: str) -> ConditionalKeys:
    """Return the spaces of a command and which options they belong to."""
    fixed, spaces = read_spaces(keep_for_options(list(words), list(words)), loader())
    return ConditionalKeys(spaces, fixed, None)


def planned(*words: str, config_dir: str | None = None) -> Plan:
    """Return what a command means, as ``-m`` finds it out."""
    fixed, spaces = read_spaces(keep_for_options(list(words), list(words)), loader())
    return make_plan(compose_job(fixed, config_dir), fixed, spaces, config_dir)


class Told:
    """A search that hands out what it is given and records its results."""

    def __init__(self, trials, *, prunes=True, hopeless=()):
        self.rest, self.prunes, self.hopeless = list(trials), prunes, hopeless
        self.reports, self.results = [], []

    def ask(self):
        return self.rest.pop(0) if self.rest else None

    def report(self, number, step, figure):
        self.reports.append((number, step, figure))
        return number not in self.hopeless

    def tell(self, number, figure, state):
        self.results.append((number, figure, state))


def made_up(words, *, epochs=3, **split) -> Job:
    """Return a job without a config to be run."""
    name = "_".join(words).replace("=", "-")
    return Job(tuple(words), Path(name), None, {"split": split, "max_epochs": epochs})


def scheduler_of(
    folder: Path, search, points, *, repeats=((),), on_error="continue", searched=True, mode="max"
) -> Scheduler:
    """Return the scheduler of a sweep whose points have a made-up job for each of the repeats."""

    def jobs_of(point):
        return [made_up((*point, *repeat)) for repeat in repeats]

    folder.mkdir(exist_ok=True)
    plan = SimpleNamespace(
        is_search=searched,
        points=points,
        jobs=[jobs_of(point) for point in points],
        jobs_of=jobs_of,
        names=FolderNames(["lr", "seed"]),
        settings=SimpleNamespace(
            options={"trials": len(points)}, on_error=read_on_error(on_error), workers=1
        ),
    )
    manifest = Manifest(["words"], None, "identity", "grid", ["lr"], "val/accuracy", mode, 1)
    return Scheduler(plan, folder, manifest, search)


def finish(job: Job, best: float = 0.5) -> None:
    """Leave what a job leaves that has ended well."""
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "result.json").write_text(json.dumps({"best": best, "seconds": 1.0}))


def end(scheduler: Scheduler, job: Job, best: float = 0.5) -> None:
    """Let a job end well."""
    finish(job, best)
    scheduler.close(job, "done", best)
