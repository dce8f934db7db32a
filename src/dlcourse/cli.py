"""The command line: compose a config, check all of it, and only then import torch."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcourse.distributed.ranks import Ranks, in_environment
from dlcourse.engine.job import report, run_job
from dlcourse.errors import UserError
from dlcourse.random_streams import CURRENT
from dlcourse.runs.prepare import PreparedRun, prepare_run
from dlcourse.runs.single_process import refuse_copies
from dlcourse.schema import hydra_api
from dlcourse.schema.catalogue import CONFIGS, HELP, list_groups
from dlcourse.schema.command_line import parse_command, typed_again
from dlcourse.schema.compose import (
    check_config_dir,
    compose_job,
    compose_sweep,
    explain,
    keep_for_options,
    sweep_points,
    without_hydra,
)
from dlcourse.schema.overrides import is_free, key_of, must_be_typed, not_typed
from dlcourse.schema.trust import to_type
from dlcourse.schema.validate import SWEEP_KEYS, check, check_key
from dlcourse.sweep import manifest as sweep_manifest
from dlcourse.terminal.command import WRONG, in_own_form, one_message, own_name
from dlcourse.terminal.installed import short_path

SECONDS_FOR_RANK_0 = 5.0  # in which it reports a mistake that all processes of torchrun have


def main() -> None:
    """Run ``dlcourse-train`` or ``python train.py`` with the arguments in ``sys.argv``."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra raises; one_message prints the error
    hydra_api.register_resolver("job_folder", job_folder)
    with one_message():
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # the user's own model may be in the current folder
        place = in_environment(os.environ)
        if place is None:
            refuse_copies(os.environ)
        with silent_but_on_rank_0(place):
            try:
                execute(sys.argv[1:], place if place is not None and place.size > 1 else None)
            except (HydraException, OmegaConfBaseException) as error:
                raise explain(error) from error


@contextmanager
def silent_but_on_rank_0(place: Ranks | None) -> Iterator[None]:
    """End a process of torchrun without a message for a mistake that rank 0 reports."""
    try:
        yield
    except UserError:
        if place is not None and place.rank > 0:
            sleep(SECONDS_FOR_RANK_0)  # torchrun stops all processes as soon as one has failed
            sys.exit(WRONG)
        raise


def execute(args: list[str], place: Ranks | None = None) -> None:
    """Run ``train`` or ``sweep``; raises UserError for a mistake before anything is started.

    place: of this process among those of torchrun; None without torchrun.
    """
    parsed, args = parse_command(args)
    if place is not None:
        refuse_under_torchrun(parsed, place)
        parsed.overrides.append(f"runtime.devices={place.size}")
    if parsed.help:
        check_config_dir(parsed.config_dir)
        print(in_own_form(HELP))
        print(list_groups([CONFIGS, *([Path(parsed.config_dir)] if parsed.config_dir else [])]))
        return
    if parsed.hydra_help or parsed.cfg or parsed.info or parsed.shell_completion:
        if parsed.multirun:
            raise UserError("--cfg and --info show one run.\nLeave -m out, or type check=true")
        sys.argv[1:] = args
        hydra_api.run_hydra_flag(run_composed_job)
        return
    check_config_dir(parsed.config_dir)
    resumed = resumed_sweep(parsed.overrides, parsed.config_dir)
    if resumed is not None:
        start_sweep(resumed, parsed.config_dir)
    elif parsed.multirun:
        start_sweep(prepare_sweep(parsed.overrides), parsed.config_dir)
    else:
        cfg = compose_job(parsed.overrides, parsed.config_dir)
        if cfg.hydra.mode == RunMode.MULTIRUN:
            start_sweep(prepare_sweep(parsed.overrides), parsed.config_dir)
            return
        if cfg.hydra.sweeper.get("params"):
            raise UserError(f"This preset is a sweep.\nType {typed_again(['-m', *args])}")
        run_one(cfg, args, parsed.overrides, parsed.config_dir, place)


def refuse_under_torchrun(parsed: Any, place: Ranks) -> None:
    """Raise UserError for what several processes of torchrun cannot do together."""
    devices = [text for text in parsed.overrides if key_of(text) == "runtime.devices"]
    if parsed.multirun:
        raise UserError(
            f"torchrun has started {place.size} processes of one run, and a sweep starts its own "
            "runs.\nType the command without torchrun; runtime.devices=2 gives each run 2 devices"
        )
    if devices and devices != [f"runtime.devices={place.size}"]:
        raise UserError(
            f"{devices[0]} does not fit the {place.size} processes that torchrun has started.\n"
            "Leave it out"
        )
    if any(key_of(text) == "check" for text in parsed.overrides):
        raise UserError("check=true needs one process.\nType it without torchrun")


def run_one(
    cfg: DictConfig,
    args: list[str],
    overrides: list[str],
    config_dir: str | None,
    place: Ranks | None = None,
) -> None:
    """Train one run, or only check it.

    cfg: composed from the overrides. args: the command's arguments, flags included. place: as in
    ``execute``.
    """
    for override in overrides:
        key = key_of(override)
        if key.split(".")[0] in SWEEP_KEYS and key != "check":
            raise UserError(
                f"{override} is for a sweep, and this is one run.\nLeave it out, or type "
                f"{typed_again(['-m', *args])}"
            )

    def stop_after_check(config: dict) -> None:
        check_key("check", cfg.check)
        if cfg.check:
            check_only(config)

    def prepare() -> PreparedRun:
        return prepare_run(cfg, overrides, config_dir, stop_after_check)

    if place is None:
        train_prepared(prepare(), cfg, config_dir)
        return
    from dlcourse.engine.torchrun import noted, run_as_rank

    train = partial(train_prepared, cfg=cfg, config_dir=config_dir, noted=noted)
    run_as_rank(place, cfg.runtime.device, prepare, train)


def train_prepared(
    run: PreparedRun,
    cfg: DictConfig,
    config_dir: str | None,
    noted: Callable[[], AbstractContextManager] = nullcontext,
) -> None:
    """Train a prepared run, with its log and what Hydra does around a job.

    cfg: composed, with Hydra's part. noted: the context in which the run is trained.
    """
    if run.finished:
        report(run.folder, str(run.folder))
        return

    def job() -> float:
        hydra_api.set_up_logging(run.hydra.hydra)
        with one_message(), noted():
            return run_job(**run.arguments())["best"]

    hydra_api.run_in_frame(cfg, run.hydra.hydra, config_dir, job)


def run_composed_job(cfg: DictConfig) -> float:
    """Run a job of a sweep that Hydra has composed; return the best value of ``monitor``.

    Hydra's own sweepers and launchers call it. They pass only the config, and leave the folder and
    the overrides in ``HydraConfig``, which is read here and nowhere else.
    """
    config = without_hydra(cfg)
    check(config)  # the jobs of a sweeper other than Hydra's basic one are only known now
    own = OmegaConf.masked_copy(cast(DictConfig, HydraConfig.instance().cfg), "hydra")
    folder, overrides = Path(own.hydra.runtime.output_dir), hydra_api.typed_overrides(own)
    return run_job(config, folder, overrides, hydra=OmegaConf.to_yaml(own))["best"]


def start_sweep(overrides: list[str], config_dir: str | None) -> None:
    """Run a sweep, or the missing jobs of a resumed one; raises UserError before the first job."""
    cfg = compose_sweep(overrides, config_dir)
    for point in sweep_points(cfg, overrides):  # dlcourse's own sweeper checks its jobs by itself
        config = without_hydra(compose_job(point, config_dir))
        try:
            check(config)
        except UserError as error:
            raise UserError(
                f"{error}\nin the job {' '.join(point)}; nothing was started"
            ) from error
    hydra_api.run_sweeper(cfg, config_dir, run_composed_job)


def resumed_sweep(overrides: list[str], config_dir: str | None) -> list[str] | None:
    """Return the overrides that resume the sweep in ``resume=``; None if that holds no sweep.

    Raises UserError for an override that would make it another sweep, and if the sweep was started
    with an option that is never read from a folder and was not typed again.
    """
    typed = {key_of(override): override for override in overrides}
    folder = Path(typed.get("resume", "").partition("=")[2].strip("'\""))
    record = sweep_manifest.read_manifest(folder) if "resume" in typed else None
    if record is None:
        return None
    if record.streams != CURRENT:
        raise UserError(
            f"The sweep in {folder} was started by an older dlcourse, which divided the data in "
            "another way: its missing jobs could not be compared with those that are done.\n"
            f"Type {own_name('collect')} {folder} for a table of these, or the sweep's "
            "command again to start a new one"
        )
    for key, override in typed.items():
        if key not in ("resume", *sweep_manifest.MAY_CHANGE) and not must_be_typed(key):
            raise UserError(
                f"{override} would make it another sweep than the one in {folder}.\n"
                f"With resume=<sweep folder> you can type {', '.join(sweep_manifest.MAY_CHANGE)}"
            )
    missing = not_typed(record.words, overrides)
    if record.config_dir and not config_dir:
        own = short_path(Path(record.config_dir))
        missing += ["--config-dir", shlex.quote(own)]
        trusted = to_type({"jobs": sweep_manifest.stored_configs(folder)})
        missing += [trusted] if trusted and "trust" not in typed else []
    if missing:
        again = " ".join(missing)
        raise UserError(
            f"The sweep in {folder} was started with {again}, which can run code or reach other "
            "machines and is never taken from a folder.\n"
            f"If you trust it, type {own_name()} resume={folder} {again}"
        )
    dropped = {*typed, "hydra.sweep.dir", "trust"}
    stored = [override for override in record.words if key_of(override) not in dropped]
    return [*stored, *overrides]


def prepare_sweep(overrides: list[str]) -> list[str]:
    """Return the overrides of a new sweep; raises UserError for ``resume=``."""
    if any(key_of(override) == "resume" for override in overrides):
        raise UserError("resume= resumes one folder, a run's or a sweep's.\nLeave -m out")
    return keep_for_options(overrides, overrides)


def check_only(config: dict) -> None:
    """Build the run's model on its data without training, print its parameters, and exit."""
    from dlcourse.sweep.dry_run import dry_run
    from dlcourse.sweep.pool import process_context

    ((finding,), _) = dry_run(process_context(), [config], here=True)
    if finding.problem:
        raise UserError(finding.problem)
    print(f"OK: {finding.parameters:,} parameters (dry run, nothing was started)")
    sys.exit(0)


def job_folder(overrides: ListConfig) -> str:
    """Name a job of Hydra's own sweeper: ``model=mlp optim.lr=0.1`` -> ``model-mlp_optim.lr-0.1``.

    Overrides that do not change the result are left out. Characters that a folder's name should not
    contain are replaced by ``-``.
    """
    naming = [override for override in overrides if not is_free(key_of(override))]
    joined = "_".join(naming) or "defaults"
    return re.sub(r"[^\w.-]+", "-", joined).strip("-")[:200]
