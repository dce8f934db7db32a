"""Write the folder of a sweep whose jobs have all ended, from one real run: to time what reads it.

Each job has the files of the real run with its own config, overrides and result; checkpoints, which
neither a report nor a resumed sweep reads, are left out.
"""

import clone  # noqa: F401  (finds src/)

import json
import math
import shutil
from pathlib import Path

import yaml
from omegaconf import OmegaConf

from dlcourse.runs import start_record
from dlcourse.schema.compose import compose_sweep, hydra_of_job
from dlcourse.schema.hydra_api import hydra_context, typed_overrides
from dlcourse.schema.run_files import CONFIG, DATA, HISTORY, HYDRA, OVERRIDES, RESULT
from dlcourse.sweep.manifest import Manifest, storable_overrides
from dlcourse.sweep.plan import make_plan
from dlcourse.sweep.pool import threads_of_each
from dlcourse.sweep.search_space import read_spaces


def write_finished(folder: Path, real: Path, overrides: list[str]) -> int:
    """Write a finished sweep into a new folder; return the number of its jobs.

    real: the folder of a run with the same overrides and any values of those that vary.
    overrides: of the sweep's command.
    """
    master = compose_sweep(overrides, None)
    typed = typed_overrides(master)
    fixed, spaces = read_spaces(typed, hydra_context(None).config_loader)
    plan = make_plan(master, fixed, spaces, None)
    folder.mkdir(parents=True)
    manifest = Manifest(
        words=storable_overrides(overrides), config_dir=None, identity=plan.identity,
        method=plan.settings.method, keys=plan.keys, monitor=plan.config["monitor"],
        mode=plan.config["mode"], threads=threads_of_each(plan.settings.workers), streams=2,
    )  # fmt: skip
    for number, (point, jobs) in enumerate(zip(plan.points, plan.jobs, strict=True)):
        manifest.set_point(number, point, [job.folder.name for job in jobs])
    manifest.write(folder)
    jobs = [job.inside(folder) for jobs in plan.jobs for job in jobs]
    hydra = OmegaConf.to_yaml(hydra_of_job(jobs[0].cfg, jobs[0].folder))
    result = json.loads((real / RESULT).read_text())
    for number, job in enumerate(jobs):
        place = job.folder / CONFIG
        place.parent.mkdir(parents=True)
        start_record.write_config(job.folder, job.config)
        (job.folder / HYDRA).write_text(hydra)
        (job.folder / OVERRIDES).write_text(yaml.safe_dump([*fixed, *job.overrides]))
        shutil.copyfile(real / DATA, job.folder / DATA)
        shutil.copyfile(real / HISTORY, job.folder / HISTORY)
        own = result | {"best": 0.5 + 0.4 * math.sin(number), "options": None}
        (job.folder / RESULT).write_text(json.dumps(own))
    return len(jobs)
