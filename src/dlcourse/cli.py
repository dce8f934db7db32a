"""The command line: composes a config, checks all of it, and only then starts torch."""

import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcourse import run_folder
from dlcourse.check import check, check_key, check_trust
from dlcourse.command import one_message
from dlcourse.compose import CONFIGS, compose, explain, plain, sweep_points
from dlcourse.error import DivergedError, UserError
from dlcourse.zoo import HELP, overview

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
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a model of the user's own lies where he starts from

    with one_message():
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


def start(config: dict, *, fresh: bool = False) -> float:
    """Carry out one job in the folder that Hydra was told.

    fresh: whether the folder may go again if the job turns out to be impossible.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    from dlcourse.experiment import run  # torch, only now that all is found to be in order

    shown = os.path.relpath(folder) if folder.is_relative_to(os.getcwd()) else folder
    try:
        best = run(OmegaConf.create(config), folder)
    except (KeyboardInterrupt, SystemExit):
        own = "dlcourse-train" if "dlcourse" in Path(sys.argv[0]).name else "python train.py"
        print(f"\nStopped. To go on: {own} resume={shown}", file=sys.stderr)
        raise
    except Exception as error:
        expected = isinstance(error, UserError | DivergedError)
        log.info("%s", error, exc_info=not expected)  # into train.log; the caller tells the user
        if fresh and isinstance(error, UserError):
            run_folder.discard(folder)
        raise
    report(folder, str(shown))
    return best


def report(folder: Path, shown: str) -> None:
    """Print how cross-validation went and where everything lies."""
    result = run_folder.read_result(folder)
    for name, mean in result.get("mean", {}).items():
        print(f"{name} {mean:.4f} ± {result['std'][name]:.4f} over {len(result['folds'])} folds")
    print(f"Results are in {shown}", flush=True)


def prepare(words: list[str]) -> Command:
    """Look at the whole command before anything is started; raises UserError.

    For one run, makes its folder; a run that is finished ends here.
    """
    args = get_args_parser().parse_args(words)
    if args.help:
        check_config_dir(args.config_dir)
        print(HELP)
        print(overview([CONFIGS, *([Path(args.config_dir)] if args.config_dir else [])]))
        sys.exit(0)
    if args.hydra_help or args.cfg or args.info or args.shell_completion:
        return Command(words)
    for option in ("config_name", "config_path", "experimental_rerun"):
        if getattr(args, option, None) is not None:
            flag = "--" + option.replace("_", "-")
            raise UserError(f"{flag} is not for dlcourse.\nType --config-dir <your own configs>")
    check_config_dir(args.config_dir)
    if not args.multirun:
        cfg = compose(args.overrides, args.config_dir)
        if cfg.hydra.mode != RunMode.MULTIRUN:
            if cfg.hydra.sweeper.get("params"):
                raise UserError(f"This preset is a sweep.\nType -m {' '.join(args.overrides)}")
            return prepare_run(words, args.overrides, args.config_dir, cfg)
    for point in sweep_points(args.overrides, args.config_dir):
        config = plain(compose(point, args.config_dir))
        if config["resume"] is not None:
            raise UserError("resume= goes on with one run.\nLeave -m out")
        try:
            check(config)
        except UserError as error:
            raise UserError(
                f"{error}\nin the job {' '.join(point)}; nothing was started"
            ) from error
    return Command(words)


def prepare_run(
    words: list[str], overrides: list[str], config_dir: str | None, cfg: DictConfig
) -> Command:
    """Check one run and make or find its folder."""
    config = plain(cfg)
    check_key("resume", config["resume"])
    if config["resume"] is not None:
        folder, fresh = Path(config["resume"]), False
        config = resumed(folder, config, overrides, config_dir)
        if run_folder.read_result(folder) is not None:
            report(folder, str(folder))
            sys.exit(0)
        check(config)
    else:
        check(config)
        wanted = Path(cfg.hydra.run.dir)
        fresh = not any(run_folder.key_of(word) == "hydra.run.dir" for word in overrides)
        folder = run_folder.claim(wanted) if fresh else run_folder.make(wanted)
    return Command([*words, f"hydra.run.dir={quoted(str(folder))}"], config, fresh)


def resumed(folder: Path, config: dict, overrides: list[str], config_dir: str | None) -> dict:
    """Return the config that a run goes on with: the stored one, if nothing else was asked for.

    Raises UserError where the command's own words would change it.
    """
    stored = run_folder.stored_config(folder)
    given = [word for word in overrides if not run_folder.is_free(run_folder.key_of(word))]
    if given:
        asked = compose([*run_folder.stored_overrides(folder), *overrides], config_dir)
        run_folder.refuse_differences(folder, plain(asked))
    stored |= {"resume": config["resume"], "trust": config["trust"]}
    typed = {run_folder.key_of(word) for word in overrides}
    if any(key.split(".")[0] == "observe" for key in typed):
        stored["observe"] = config["observe"]
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
    telling = [word for word in words if not run_folder.is_free(run_folder.key_of(word))]
    joined = "_".join(telling) or "defaults"
    return re.sub(r"[^\w.-]+", "-", joined).strip("-")[:200]


def quoted(text: str) -> str:
    """Return a text as one value in Hydra's grammar, whatever characters are in it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"'{escaped}'"
