"""The command line: composes a config, checks all of it, and only then starts torch."""

import logging
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcourse.engine.job import report, start
from dlcourse.errors import UserError
from dlcourse.random_streams import CURRENT
from dlcourse.runs import run_folder
from dlcourse.runs.single_process import refuse_copies
from dlcourse.schema.catalogue import CONFIGS, HELP, overview
from dlcourse.schema.command_line import read, typed_again
from dlcourse.schema.compose import (
    compose,
    explain,
    plain,
    quoted,
    spread,
    sweep_points,
)
from dlcourse.schema.overrides import END, is_free, is_typed_again, key_of, not_typed
from dlcourse.schema.trust import check_trust, to_type
from dlcourse.schema.validate import SWEEP, check, check_key
from dlcourse.sweep import manifest as sweep_manifest
from dlcourse.terminal.command import in_own_form, one_message, own_name

OLD_HYDRA = {"version_base": "1.3"} if hydra.__version__.startswith("1.3") else {}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Command:
    """A command that was found to be in order.

    words: what Hydra is told. config: of the one run, None in a sweep. fresh: whether the run's
    folder was made for it just now.
    """

    words: list[str]
    config: dict | None = None
    fresh: bool = False


def main() -> None:
    """Carry out ``dlcourse-train`` or ``python train.py`` with the words behind it."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # raise, so that one_message can say it shorter
    register = OmegaConf.register_new_resolver if OLD_HYDRA else OmegaConf.register_resolver
    register("job_folder", job_folder, replace=True)
    with one_message():
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # a user's own model lies in the folder they start from
        refuse_copies(os.environ)
        command = prepare(sys.argv[1:])
        sys.argv[1:] = command.words

        def job(cfg: DictConfig) -> float:
            if command.config is None:  # a job of a sweep, which goes on when one of them fails
                config = plain(cfg)
                check(config)  # a sweeper other than Hydra's basic one is looked into only now
                return start(config)
            with one_message():
                return start(command.config, fresh=command.fresh)

        try:
            hydra.main(config_path=str(CONFIGS), config_name="train", **OLD_HYDRA)(job)()
        except (HydraException, OmegaConfBaseException) as error:
            raise explain(error) from error


def prepare(words: list[str]) -> Command:
    """Look at the whole command before anything is started; raises UserError.

    For one run, makes its folder; a run that is finished ends here.
    """
    args, words = read(words)
    if args.help:
        check_config_dir(args.config_dir)
        print(in_own_form(HELP))
        print(overview([CONFIGS, *([Path(args.config_dir)] if args.config_dir else [])]))
        sys.exit(0)
    if args.hydra_help or args.cfg or args.info or args.shell_completion:
        if args.multirun:
            raise UserError("--cfg and --info show one run.\nLeave -m out, or type check=true")
        return Command(words)
    check_config_dir(args.config_dir)
    begun = sweep_begun(args.overrides, args.config_dir)
    if begun is not None:
        return Command(begun)
    if not args.multirun:
        cfg = compose(args.overrides, args.config_dir)
        if cfg.hydra.mode != RunMode.MULTIRUN:
            if cfg.hydra.sweeper.get("params"):
                raise UserError(f"This preset is a sweep.\nType {typed_again(['-m', *words])}")
            return prepare_run(words, args.overrides, args.config_dir, cfg)
    return Command(prepare_sweep(words, args.overrides, args.config_dir))


def sweep_begun(overrides: list[str], config_dir: str | None) -> list[str] | None:
    """Return the command line that resumes the sweep in ``resume=``; None for a run's folder.

    Raises UserError for an override that would make it another sweep, and for what the folder names
    and may not name: it has to be typed again.
    """
    typed = {key_of(override): override for override in overrides}
    folder = Path(typed.get("resume", "").partition("=")[2].strip("'\""))
    record = sweep_manifest.read_manifest(folder) if "resume" in typed else None
    if record is None:
        return None
    if record.streams != CURRENT:
        raise UserError(
            f"The sweep in {folder} was begun by an older dlcourse, which divided the data in "
            "another way: its missing jobs could not be compared with those that are done.\n"
            f"Type {own_name('collect')} {folder} for a table of these, or the sweep's "
            "command again to start a new one"
        )
    for key, override in typed.items():
        if key not in ("resume", *sweep_manifest.MAY_CHANGE) and not is_typed_again(key):
            raise UserError(
                f"{override} would make it another sweep than the one in {folder}.\n"
                f"With resume=<sweep folder> may be typed: {', '.join(sweep_manifest.MAY_CHANGE)}"
            )
    missing = not_typed(record.words, overrides)
    if record.config_dir and not config_dir:
        own = run_folder.shown(Path(record.config_dir))
        missing += ["--config-dir", shlex.quote(own)]
        trusted = to_type({"jobs": sweep_manifest.stored_configs(folder)})
        missing += [trusted] if trusted and "trust" not in typed else []
    if missing:
        again = " ".join(missing)
        raise UserError(
            f"The sweep in {folder} was started with {again}, which can run code or reach other "
            "machines and is never taken from a folder.\n"
            f"If you know it, type {own_name()} resume={folder} {again}"
        )
    dropped = {*typed, "hydra.sweep.dir", "trust"}
    stored = [word for word in record.words if key_of(word) not in dropped]
    return ["-m", *(["--config-dir", config_dir] if config_dir else []), *stored, *overrides]


def prepare_sweep(words: list[str], overrides: list[str], config_dir: str | None) -> list[str]:
    """Return the words of a sweep as Hydra is told them.

    Hydra's own sweeper has its jobs checked here; dlcourse's does it by itself.
    """
    if any(key_of(word) == "resume" for word in overrides):
        raise UserError("resume= goes on with one folder, a run's or a sweep's.\nLeave -m out")
    for point in sweep_points(overrides, config_dir):
        config = plain(compose(point, config_dir))
        try:
            check(config)
        except UserError as error:
            raise UserError(
                f"{error}\nin the job {' '.join(point)}; nothing was started"
            ) from error
    return spread(words, overrides)


def prepare_run(
    words: list[str], overrides: list[str], config_dir: str | None, cfg: DictConfig
) -> Command:
    """Check one run and make or find its folder."""
    for word in overrides:
        key = key_of(word)
        if key.split(".")[0] in SWEEP and key != "check":
            raise UserError(
                f"{word} is for a sweep, and this is one run.\nLeave it out, or type "
                f"{typed_again(['-m', *words])}"
            )
    config = plain(cfg)
    check_key("resume", config["resume"])
    if config["resume"] is not None:
        folder, fresh = Path(config["resume"]), False
        config = resumed(folder, config, overrides, config_dir)
        moved = run_folder.end_moved(folder, config)
        if moved and (folder.absolute().parent / run_folder.SWEEP).exists():
            raise UserError(
                f"{folder} is a job of a sweep: with another end it could not be compared with the "
                "others.\nType the sweep's command with the new end, or a new run's"
            )
        if run_folder.read_result(folder) is not None and not moved:
            report(folder, str(folder))
            sys.exit(0)
        run_folder.refuse_diverged(folder)
        check(config)
    else:
        check(config)
        check_key("check", cfg.check)
        if cfg.check:
            only_check(config)
        wanted = Path(cfg.hydra.run.dir)
        fresh = not any(key_of(word) == "hydra.run.dir" for word in overrides)
        folder = run_folder.claim(wanted) if fresh else run_folder.make(wanted)
    return Command([*words, f"hydra.run.dir={quoted(str(folder))}"], config, fresh)


def only_check(config: dict) -> None:
    """Find out what only PyTorch and the data can tell of a run, print it, and end."""
    from dlcourse.sweep.dry_run import dry_run
    from dlcourse.sweep.pool import process_context

    ((finding,), _) = dry_run(process_context(), [config], here=True)
    if finding.problem:
        raise UserError(finding.problem)
    print(f"It is in order: {finding.parameters:,} parameters; nothing was started.")
    sys.exit(0)


def resumed(folder: Path, config: dict, overrides: list[str], config_dir: str | None) -> dict:
    """Return the config that a run goes on with: the stored one, if nothing else was asked for.

    Raises UserError where the command's own words would change it.
    """
    stored = run_folder.stored_config(folder)
    given = [word for word in overrides if not is_free(key_of(word))]
    if given:
        same = f"random_streams={stored['random_streams']}"  # of an older run not today's default
        earlier = run_folder.without(run_folder.stored_overrides(folder), overrides)
        asked = plain(compose([same, *earlier, *overrides], config_dir))
        run_folder.refuse_differences(folder, asked, END)
        ends = {key_of(word).split(".")[0] for word in given} & set(END)
        stored |= {key: asked[key] for key in ends}
    stored |= {"resume": config["resume"], "trust": config["trust"]}
    typed = {key_of(word) for word in overrides}
    for key in {key.split(".")[0] for key in typed} & {"observe", "checkpoint_every"}:
        stored[key] = config[key]
    for key in ("root", "download"):
        if f"data.{key}" in typed:
            stored["data"][key] = config["data"][key]
    check_trust(stored)
    return stored


def check_config_dir(config_dir: str | None) -> None:
    """Raise UserError where ``--config-dir`` is no folder."""
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(
            f"--config-dir {config_dir} is not a folder.\n"
            "Name the folder that has model/, optim/ ... with your own YAML files in it"
        )


def job_folder(words: ListConfig) -> str:
    """Name a job of a sweep by its words: ``model=mlp optim.lr=0.1`` -> ``model-mlp_optim.lr-0.1``.

    Words that do not touch the result are left out, and what does not belong in a folder's name.
    """
    telling = [word for word in words if not is_free(key_of(word))]
    joined = "_".join(telling) or "defaults"
    return re.sub(r"[^\w.-]+", "-", joined).strip("-")[:200]
