"""Read and plan sweeps in the test's own process; schedule made-up jobs that never run."""

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


def spaces_of(*overrides: str) -> list[Space]:
    """Return the search spaces of a command's overrides."""
    return read_spaces(overrides, loader())[1]


def conditional_keys_of(*overrides: str) -> ConditionalKeys:
    """Return the search spaces of a command and the options that they belong to."""
    fixed, spaces = read_spaces(keep_for_options(list(overrides), list(overrides)), loader())
    return ConditionalKeys(spaces, fixed, None)


def planned(*overrides: str, config_dir: str | None = None) -> Plan:
    """Return the plan of a command, as ``-m`` makes it."""
    fixed, spaces = read_spaces(keep_for_options(list(overrides), list(overrides)), loader())
    return make_plan(compose_job(fixed, config_dir), fixed, spaces, config_dir)


class ScriptedSearch:
    """A search that proposes given trials and records what is reported to it."""

    def __init__(self, trials, *, prunes=True, hopeless=()):
        self.rest, self.prunes, self.hopeless = list(trials), prunes, hopeless
        self.reports, self.results = [], []

    def ask(self):
        return self.rest.pop(0) if self.rest else None

    def report(self, number, step, value):
        self.reports.append((number, step, value))
        return number not in self.hopeless

    def tell(self, number, value, state):
        self.results.append((number, value, state))


def made_up(overrides, *, epochs=3, **split) -> Job:
    """Return a job whose config cannot be run."""
    name = "_".join(overrides).replace("=", "-")
    return Job(tuple(overrides), Path(name), None, {"split": split, "max_epochs": epochs})


def scheduler_of(
    folder: Path, search, points, *, repeats=((),), on_error="continue", searched=True, mode="max"
) -> Scheduler:
    """Return the scheduler of a sweep with a made-up job for each repeat of each point."""

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
    """Write the result that a successful job writes."""
    job.folder.mkdir(parents=True, exist_ok=True)
    result = {"monitor": "val/accuracy", "mode": "max", "best": best, "best_epoch": 1, "epochs": 1}
    result |= {"val": {}, "test": {}, "seconds": 1.0}
    (job.folder / "result.json").write_text(json.dumps(result))


def end(scheduler: Scheduler, job: Job, best: float = 0.5) -> None:
    """Finish a job successfully and close it in the scheduler."""
    finish(job, best)
    scheduler.close(job, "done", best)
