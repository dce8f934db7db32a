"""A sweep from its words to its table."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.guard import Droppable, guarded
from dlcourse.random_streams import CURRENT
from dlcourse.runs import run_folder
from dlcourse.schema.overrides import is_free, is_typed_again, key_of, leaves
from dlcourse.schema.trust import to_type
from dlcourse.sweep import record
from dlcourse.sweep.compared import all_comparable, refuse_incomparable
from dlcourse.sweep.course import Course
from dlcourse.sweep.job import in_a_folder, shortened
from dlcourse.sweep.launch import launch
from dlcourse.sweep.plan import Plan, make_plan, refuse
from dlcourse.sweep.pool import Pool, context, threads_of_each
from dlcourse.sweep.processes import run
from dlcourse.sweep.progress import Progress
from dlcourse.sweep.record import Record
from dlcourse.sweep.rehearse import Finding, rehearse
from dlcourse.sweep.search import Listed, Search
from dlcourse.sweep.show import show_plan
from dlcourse.sweep.space import read_spaces
from dlcourse.terminal.command import FAILED, dashboard, own_name
from dlcourse.terminal.live_line import working

IN_PROCESSES = "BasicLauncher"  # Hydra's default, in whose place the pool runs the jobs


def conduct(
    master: DictConfig,
    params: dict[str, str],
    arguments: Sequence[str],
    hydra: HydraContext,
    task: TaskFunction,
) -> None:
    """Check a sweep, run what is missing of it, and tell how it went.

    master: composed of the words that are the same in every job. params, arguments: a preset's
    spaces, and the command's words. Ends with status 1 where a job has failed; raises UserError
    before the first job.
    """
    words = [*(f"{key}={value}" for key, value in params.items()), *arguments]
    fixed, spaces = read_spaces(words, hydra.config_loader)
    config_dir = own_configs(master)
    own = [word for word in master.hydra.overrides.hydra if not word.startswith("hydra.mode=")]
    with working("checking the jobs"):
        plan = make_plan(master, [*own, *fixed], spaces, config_dir)
    wanted, typed = place_of(master, plan)
    begun = record.find(wanted, plan.identity, typed=typed)
    refuse_changes(plan, begun)
    if begun is None:  # what an older dlcourse has begun may end, and its report claims nothing
        refuse_incomparable(plan)
    if plan.is_search:
        from dlcourse.sweep.optuna import check_search, check_stored_state

        check_search(plan.settings.options)
        if begun is not None:
            check_stored_state(plan.settings.options["sampler"], plan.config["trust"])
    here = master.hydra.launcher._target_.endswith(IN_PROCESSES)
    with working("checking the jobs with PyTorch and the data", plain=False):
        findings, gpus = look_ahead(plan, begun, here)
    if plan.settings.check:
        show_plan(plan, findings, begun)
        return
    told = Record(
        words=record.stored([*arguments, *own]),
        config_dir=config_dir,
        identity=plan.identity,
        method=plan.settings.method,
        keys=plan.keys,
        monitor=plan.config["monitor"],
        mode=plan.config["mode"],
        threads=threads_of_each(plan.settings.workers),
        streams=CURRENT,
    )
    folder = record.claim(wanted, told, typed=typed)
    with run_folder.locked(folder):
        told.threads = record.read(folder).threads  # with others a job would not go on bitwise
        search = make_search(plan, folder)
        course = Course(plan, folder, told, search, ranks=all_comparable(plan))
        try:
            with Progress(course) as shown:
                progress: Any = Droppable("The sweep's screen", shown)
                if here:
                    run(course, Pool(plan.settings.workers, told.threads, gpus), progress)
                else:
                    launch(course, progress, master, hydra, task)
        except (KeyboardInterrupt, SystemExit):
            print(f"\nStopped. To resume: {resuming(folder, plan, own)}", file=sys.stderr)
            raise
        course.write()
        if course.has_results:
            said = working("drawing the plots")
            with guarded(f"The report on {run_folder.shown(folder)}"), said:
                tell(folder, search)
    if course.failed:
        many = "1 job has" if len(course.failed) == 1 else f"{len(course.failed)} jobs have"
        print(
            f"{many} failed. To run what is missing: {resuming(folder, plan, own)}", file=sys.stderr
        )
        sys.exit(FAILED)


def place_of(master: DictConfig, plan: Plan) -> tuple[Path, bool]:
    """Return the folder of this sweep, or what to call a new one, and whether it was typed."""
    if master.resume is not None:
        return Path(master.resume), True
    typed = any(key_of(word) == "hydra.sweep.dir" for word in master.hydra.overrides.hydra)
    wanted = Path(master.hydra.sweep.dir)
    keys = in_a_folder("_".join(shortened(plan.keys).values()))[:60]
    return (wanted if typed or not keys else wanted.with_name(f"{wanted.name}-{keys}")), typed


def own_configs(master: DictConfig) -> str | None:
    """Return the folder of ``--config-dir``."""
    sources = master.hydra.runtime.config_sources
    return next((source.path for source in sources if source.provider == "command-line"), None)


def refuse_changes(plan: Plan, begun: Path | None) -> None:
    """Raise UserError where a job was begun with another config: a YAML file has changed."""
    problems: dict[str, list[str]] = {}
    for job in {job.folder: job for jobs in plan.jobs for job in jobs}.values():
        if begun is not None and (begun / job.folder / run_folder.CONFIG).exists():
            try:
                run_folder.refuse_differences(begun / job.folder, job.config)
            except UserError as error:
                problems.setdefault(str(error), []).append(job.label)
    refuse(problems, len(plan.points))


def look_ahead(plan: Plan, begun: Path | None, here: bool) -> tuple[dict[Path, Finding], list[str]]:
    """Return what is found out about the first job of every point, and the GPUs there are.

    here: whether this machine runs the jobs, so that it is looked at as well.

    A sweep of which nothing is left to be run is not looked at. Raises UserError naming every
    point that cannot be run.
    """
    firsts = {jobs[0].folder: jobs[0] for jobs in plan.jobs}
    unfinished = begun is None or plan.is_search or any(
        job.inside(begun).result() is None for jobs in plan.jobs for job in jobs
    )  # fmt: skip
    if not unfinished and not plan.settings.check:
        return {}, []
    known = {} if begun is None else data_begun(plan, begun)
    configs = [job.config for job in firsts.values()]
    earlier = [known.get(data_of(config)) for config in configs]
    found, gpus = rehearse(context(), configs, earlier, here=here)
    findings = dict(zip(firsts, found, strict=True))
    problems: dict[str, list[str]] = {}
    for folder, finding in findings.items():
        if finding.problem:
            problems.setdefault(finding.problem, []).append(firsts[folder].label)
    refuse(problems, len(plan.points))
    return findings, gpus


def data_begun(plan: Plan, begun: Path) -> dict[str, Path]:
    """Return for the data of jobs that are not finished the folder of one that has begun.

    A job that is finished is kept as it is, so that what is missing must run on the same data.
    """
    if plan.is_search:
        places = (path.parent for path in begun.glob(f"*/{run_folder.DATA}"))
        return {data_of(run_folder.stored_config(place)): place for place in places}
    jobs = [job.inside(begun) for jobs in plan.jobs for job in jobs]
    missing = {data_of(job.config) for job in jobs if job.result() is None}
    return {
        data_of(job.config): job.folder
        for job in jobs
        if (job.folder / run_folder.DATA).exists() and data_of(job.config) in missing
    }


def data_of(config: dict) -> str:
    """Return what decides in a config which data a job has, wherever they lie."""
    values = leaves({key: config[key] for key in ("data", "split", "random_streams")})
    return atomic_files.to_json([(key, value) for key, value in values if not is_free(key)])


def make_search(plan: Plan, folder: Path) -> Search:
    """Return where the sweep's points come from."""
    if not plan.is_search:
        return Listed(plan.points)
    from dlcourse.sweep.optuna import Study

    return Study(plan.owners, folder, plan.config["mode"], **plan.settings.options)


def tell(folder: Path, search: Search) -> None:
    """Print the table, write it and the images into the sweep's folder, and say where to look."""
    from dlcourse.report.write import write_report

    importances = getattr(search, "importances", lambda: None)()
    write_report([folder], folder, importances=importances)
    print(f"In TensorBoard: {dashboard(run_folder.shown(folder))}", flush=True)


def resuming(folder: Path, plan: Plan, own: Sequence[str]) -> str:
    """Return the command that resumes a sweep, with what is never taken from its folder.

    own: the command's overrides of Hydra's keys.
    """
    again = [own_name(), f"resume={run_folder.shown(folder)}"]
    trust = to_type({"jobs": [job.config for jobs in plan.jobs for job in jobs]})
    again += [trust] if trust else []
    again += [word for word in own if is_typed_again(key_of(word))]
    storage = plan.settings.options.get("storage")
    again += [f"sweep.storage={record.without_password(storage)}"] if storage else []
    if plan.config_dir:
        again += ["--config-dir", shlex.quote(run_folder.shown(Path(plan.config_dir)))]
    return " ".join(again)
