"""Run a sweep: plan, checks, jobs, report."""

import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.guard import Droppable, guarded
from dlcourse.random_streams import CURRENT
from dlcourse.runs import start_record
from dlcourse.runs.links import refuse_links
from dlcourse.schema import run_files
from dlcourse.schema.from_environment import storable
from dlcourse.schema.overrides import is_free, key_of, leaves, must_be_typed
from dlcourse.schema.passwords import without_password
from dlcourse.schema.trust import to_type
from dlcourse.sweep.comparability import all_comparable, refuse_incomparable
from dlcourse.sweep.dry_run import Finding, dry_run
from dlcourse.sweep.dry_run_table import print_dry_run
from dlcourse.sweep.groups import Groups, group_line, why_not
from dlcourse.sweep.hydra_launcher import run_on_launcher
from dlcourse.sweep.job import folder_text, short_keys
from dlcourse.sweep.local_jobs import run_locally
from dlcourse.sweep.manifest import (
    DEFAULTS_VERSION,
    Manifest,
    claim_folder,
    find_folder,
    holds_sweep,
    read_manifest,
    storable_overrides,
)
from dlcourse.sweep.methods.search import ListedPoints, Search
from dlcourse.sweep.plan import Plan, make_plan, refuse
from dlcourse.sweep.pool import Pool, process_context, threads_of_each
from dlcourse.sweep.progress import Progress
from dlcourse.sweep.scheduler import Scheduler
from dlcourse.sweep.search_space import read_spaces
from dlcourse.sweep.sharing import joined_sweep
from dlcourse.terminal.command import dashboard, own_name
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.live_line import working
from dlcourse.terminal.stop_signals import resumable_by

IN_PROCESSES = "BasicLauncher"  # Hydra's default launcher; the pool runs the jobs instead


class Outcome(NamedTuple):
    """The folder of a sweep, and the number of its jobs that have failed."""

    folder: Path
    failed: int


def run_sweep(
    master: DictConfig,
    params: dict[str, str],
    arguments: Sequence[str],
    hydra: HydraContext,
    task: TaskFunction,
) -> Outcome | None:
    """Check a sweep, run its missing jobs, and write the report; return None for ``check=true``.

    master: the config of the overrides that are the same in every job. params: the search spaces
    of a preset (``hydra.sweeper.params``). arguments: the command's overrides. Raises UserError
    before the first job starts.
    """
    overrides = [*(f"{key}={value}" for key, value in params.items()), *arguments]
    fixed, spaces = read_spaces(overrides, hydra.config_loader)
    config_dir = own_configs(master)
    own = [text for text in master.hydra.overrides.hydra if not text.startswith("hydra.mode=")]
    with working("checking the jobs"):
        plan = make_plan(master, [*own, *fixed], spaces, config_dir)
    wanted, typed = folder_of(master, plan)
    earlier = holds_sweep(wanted, plan.earlier_identity)
    identity = plan.earlier_identity if earlier else plan.identity
    started = find_folder(wanted, identity, typed=typed)
    if started is not None:
        refuse_links(started)
    refuse_changes(plan, started)
    if started is None:  # a sweep that an older dlcourse started is resumed, and not ranked
        refuse_incomparable(plan)
    if plan.is_search:
        from dlcourse.sweep.methods.optuna import check_search, check_stored_state

        check_search(plan.settings.options)
        if started is not None:
            check_stored_state(plan.settings.options["sampler"], plan.config["trust"])
    here = master.hydra.launcher._target_.endswith(IN_PROCESSES)
    if plan.settings.job_timeout is not None and not here:
        refuse_timeout(master.hydra.runtime.choices["hydra/launcher"])
    with working("checking the jobs with PyTorch and the data", plain=False):
        findings, gpus = dry_run_points(plan, started, here)
    groups = groups_of(
        plan, findings, "" if here else master.hydra.runtime.choices["hydra/launcher"]
    )
    if plan.settings.check:
        print_dry_run(plan, findings, started)
        return None
    manifest = manifest_of(plan, [*arguments, *own])
    manifest.identity = identity
    folder = claim_folder(wanted, manifest, typed=typed)
    with joined_sweep(folder, alone=plan.is_search or not here) as sharing:
        stored = read_manifest(folder)
        assert stored is not None  # written by claim_folder
        manifest.threads = stored.threads  # a different number of threads changes the rounding
        search = make_search(plan, folder)
        ranks = all_comparable(plan)
        scheduler = Scheduler(plan, folder, manifest, search, ranks=ranks, sharing=sharing)
        to_resume = partial(resume_command, folder, plan, own)
        with resumable_by(to_resume), Progress(scheduler) as shown:
            progress: Any = Droppable("The sweep's screen", shown)
            if here:
                pool = Pool(plan.settings.workers, manifest.threads, gpus)
                run_locally(scheduler, pool, progress, groups)
            else:
                run_on_launcher(scheduler, progress, master, hydra, task)
        if plan.is_search:
            scheduler.write()
        if scheduler.has_results:
            status = working("drawing the plots")
            with guarded(f"The report on {short_path(folder)}"), status:
                report_results(folder, search)
    failed = len(scheduler.failed)
    if failed:
        many = "1 job has" if failed == 1 else f"{failed} jobs have"
        print(f"{many} failed. To run the missing jobs: {to_resume()}", file=sys.stderr)
    return Outcome(folder, failed)


def refuse_timeout(launcher: str) -> NoReturn:
    """Raise UserError: the jobs of a launcher are not this machine's processes."""
    raise UserError(
        f"job_timeout is for jobs on this machine, and hydra/launcher={launcher} starts them "
        "elsewhere.\nLeave it out; give the launcher its own limit, such as "
        "hydra.launcher.timeout_min=60"
    )


def manifest_of(plan: Plan, typed: Sequence[str]) -> Manifest:
    """Return the manifest of a new sweep; typed: the command's overrides."""
    return Manifest(
        words=storable_overrides(typed),
        config_dir=plan.config_dir,
        identity=plan.identity,
        method=plan.settings.method,
        keys=plan.keys,
        monitor=plan.config["monitor"],
        mode=plan.config["mode"],
        threads=threads_of_each(plan.settings.workers),
        streams=CURRENT,
        defaults=DEFAULTS_VERSION,
    )


def groups_of(plan: Plan, findings: dict[Path, Finding], launcher: str) -> Groups | None:
    """Return which jobs are trained together, and print it; None if none is.

    findings: by the name of the first job of each point. launcher: as in ``why_not``.
    """
    if plan.config["engine"] != "together":
        return None
    if reason := why_not(plan, launcher):
        print(reason)
        return None
    found = {
        job.folder.name: findings[jobs[0].folder].parameters
        for jobs in plan.jobs for job in jobs if jobs[0].folder in findings
    }  # fmt: skip
    groups = Groups(plan, found)
    print(group_line(groups, plan))
    return groups


def folder_of(master: DictConfig, plan: Plan) -> tuple[Path, bool]:
    """Return the folder to resume or the path of a new one, and whether the user typed it."""
    if master.resume is not None:
        return Path(master.resume), True
    typed = any(key_of(override) == "hydra.sweep.dir" for override in master.hydra.overrides.hydra)
    wanted = Path(master.hydra.sweep.dir)
    keys = folder_text("_".join(short_keys(plan.keys).values()))[:60]
    return (wanted if typed or not keys else wanted.with_name(f"{wanted.name}-{keys}")), typed


def own_configs(master: DictConfig) -> str | None:
    """Return the folder of ``--config-dir``, None without it."""
    sources = master.hydra.runtime.config_sources
    return next((source.path for source in sources if source.provider == "command-line"), None)


def refuse_changes(plan: Plan, started: Path | None) -> None:
    """Raise UserError if a job was started with another config: a YAML file has changed."""
    problems: dict[str, list[str]] = {}
    for job in {job.folder: job for jobs in plan.jobs for job in jobs}.values():
        if started is not None and (started / job.folder / run_files.CONFIG).exists():
            try:
                start_record.refuse_differences(started / job.folder, job.config)
            except UserError as error:
                problems.setdefault(str(error), []).append(job.label)
    refuse(problems, len(plan.points))


def dry_run_points(
    plan: Plan, started: Path | None, here: bool
) -> tuple[dict[Path, Finding], list[str]]:
    """Check the first job of every point; return their findings, and the names of the GPUs.

    A sweep whose jobs are all done is not checked. Raises UserError that names every point that
    cannot be run.

    here: whether this machine runs the jobs, so that ``runtime`` is checked as well.
    """
    firsts = {jobs[0].folder: jobs[0] for jobs in plan.jobs}
    unfinished = started is None or plan.is_search or any(
        job.inside(started).result() is None for jobs in plan.jobs for job in jobs
    )  # fmt: skip
    if not unfinished and not plan.settings.check:
        return {}, []
    known = {} if started is None else folders_by_data(plan, started)
    configs = [job.config for job in firsts.values()]
    earlier = [known.get(data_key(config)) for config in configs] if known else None
    found, gpus = dry_run(process_context(), configs, earlier, here=here)
    findings = dict(zip(firsts, found, strict=True))
    problems: dict[str, list[str]] = {}
    for folder, finding in findings.items():
        if finding.problem:
            problems.setdefault(finding.problem, []).append(firsts[folder].label)
    refuse(problems, len(plan.points))
    return findings, gpus


def folders_by_data(plan: Plan, started: Path) -> dict[str, Path]:
    """Return, for the data of every unfinished job, the folder of a job that started on them.

    The results of finished jobs stay, so the missing jobs must run on the same data. The keys are
    those of ``data_key``.
    """
    if plan.is_search:
        places = (path.parent for path in started.glob(f"*/{run_files.DATA}"))
        return {data_key(start_record.stored_config(place)): place for place in places}
    jobs = [job.inside(started) for jobs in plan.jobs for job in jobs]
    missing = {data_key(job.config) for job in jobs if job.result() is None}
    return {
        data_key(job.config): job.folder
        for job in jobs
        if (job.folder / run_files.DATA).exists() and data_key(job.config) in missing
    }


def data_key(config: dict) -> str:
    """Return the options of a config that determine a job's data, as text.

    ``data.root`` and other options that do not change the results are left out.
    """
    config = storable(config)
    values = leaves({key: config[key] for key in ("data", "split", "random_streams")})
    return atomic_files.to_json([(key, value) for key, value in values if not is_free(key)])


def make_search(plan: Plan, folder: Path) -> Search:
    """Return the search: the list of all points, or a study of Optuna."""
    if not plan.is_search:
        return ListedPoints(plan.points)
    from dlcourse.sweep.methods.optuna import Study

    return Study(plan.conditional, folder, plan.config["mode"], **plan.settings.options)


def report_results(folder: Path, search: Search) -> None:
    """Print the table, write it and the plots into the folder."""
    from dlcourse.report.write_report import write_report

    importances = getattr(search, "importances", lambda: None)()
    write_report([folder], folder, importances=importances)
    print(f"In TensorBoard: {dashboard(short_path(folder))}", flush=True)


def resume_command(folder: Path, plan: Plan, own: Sequence[str]) -> str:
    """Return the command that resumes a sweep, with the options that its folder does not store.

    own: the command's overrides of Hydra's keys.
    """
    again = [own_name(), f"resume={short_path(folder)}"]
    trust = to_type({"jobs": [job.config for jobs in plan.jobs for job in jobs]})
    again += [trust] if trust else []
    again += [override for override in own if must_be_typed(key_of(override))]
    storage = plan.settings.options.get("storage")
    again += [f"sweep.storage={without_password(storage)}"] if storage else []
    if plan.config_dir:
        again += ["--config-dir", shlex.quote(short_path(Path(plan.config_dir)))]
    return " ".join(again)
