"""Turn a composed config into a checked run with a folder."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError
from dlcourse.runs import run_folder, start_record
from dlcourse.runs.labels import change_labels
from dlcourse.runs.links import refuse_links
from dlcourse.runs.migrate import changed_defaults
from dlcourse.runs.start_record import with_environment
from dlcourse.runs.stored_addresses import stay_local
from dlcourse.schema import run_files
from dlcourse.schema.compose import compose_job, hydra_of_run, without_hydra
from dlcourse.schema.from_environment import node_at, storable, with_value
from dlcourse.schema.hydra_api import typed_overrides
from dlcourse.schema.overrides import (
    END_KEYS,
    FROM_ENVIRONMENT,
    LABELS,
    is_among,
    is_free,
    key_of,
    leaves,
)
from dlcourse.schema.passwords import is_masked
from dlcourse.schema.trust import check_trust
from dlcourse.schema.validate import GROUPS, check, check_key

RESUMABLE = ("observe", "checkpoint_every", "engine")
"""Groups and options that are taken from the command that resumes a run."""


@dataclass(frozen=True)
class PreparedRun:
    """A checked run with its folder: the arguments of ``engine.job.run_job``.

    config: plain. overrides: as stored with the run. hydra: a config with the single key ``hydra``.
    new_folder: the folder was made for this run, under a name that the user did not give.
    finished: the run has ended and there is nothing left to train.
    """

    config: dict[str, Any]
    folder: Path
    overrides: list[str]
    hydra: DictConfig
    new_folder: bool = False
    finished: bool = False

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of ``run_job``."""
        return {
            "config": self.config,
            "folder": self.folder.absolute(),
            "overrides": self.overrides,
            "hydra": OmegaConf.to_yaml(self.hydra),
            "new_folder": self.new_folder,
        }


def prepare_run(
    cfg: DictConfig,
    overrides: list[str],
    config_dir: str | None,
    before_folder: Callable[[dict], None] = lambda config: None,
) -> PreparedRun:
    """Check one run, and make its folder or find the one in ``resume=``; raises UserError.

    cfg: composed of the overrides, with Hydra's part.
    before_folder: is called with the checked config of a new run before its folder is made.
    """
    config = without_hydra(cfg)
    check_key("resume", config["resume"])
    new_folder = finished = False
    if config["resume"] is not None:
        folder = Path(config["resume"])
        refuse_links(folder)
        config = resumed_config(folder, config, overrides, config_dir)
        moved = start_record.end_moved(folder, config)
        if moved and (folder.absolute().parent / run_files.MANIFEST).exists():
            raise UserError(
                f"{folder} is a job of a sweep: with another end it could not be compared with the "
                "others.\nType the command of the sweep, or of a new run, with the new end"
            )
        finished = run_folder.read_result(folder) is not None and not moved
        if not finished:
            run_folder.refuse_diverged(folder)
            check(config, used=set(GROUPS) - {"init"})
        else:
            for key in LABELS:
                check_key(key, config[key])
            change_labels(folder, config)
    else:
        check(config)
        before_folder(config)
        wanted = Path(cfg.hydra.run.dir)
        new_folder = not any(key_of(override) == "hydra.run.dir" for override in overrides)
        folder = run_folder.claim(wanted) if new_folder else run_folder.make_folder(wanted)
    if not finished:
        run_folder.refuse_unwritable(folder)
    hydra = hydra_of_run(cfg, folder)
    recorded = typed_overrides(hydra)
    return PreparedRun(config, folder, recorded, hydra, new_folder, finished)


def resumed_config(
    folder: Path, config: dict, overrides: list[str], config_dir: str | None
) -> dict:
    """Return the config with which a run is resumed: the stored one, with the keys that may differ.

    These are ``END_KEYS`` and the free keys. Raises UserError if an override would change any
    other, or if the stored config calls code that is not trusted.
    """
    stored = start_record.stored_config(folder)
    typed = {key_of(override) for override in overrides}
    if "observe" not in {key.split(".")[0] for key in typed}:
        stay_local(stored)
    again = {key for key, value in leaves(stored) if is_masked(value)} & typed
    keys = set(again)
    given = [override for override in overrides if not is_free(key_of(override))]
    if given:
        same = changed_defaults(stored)
        earlier = start_record.without(start_record.stored_overrides(folder), overrides)
        wanted = without_hydra(compose_job([*same, *earlier, *overrides], config_dir))
        start_record.refuse_differences(folder, wanted, END_KEYS)
        ends = {key_of(override).split(".")[0] for override in given} & set(END_KEYS)
        stored = with_keys(stored, storable(wanted), ends | again)
        config = with_keys(config, wanted, ends | again)
        keys |= ends
    keys |= {key.split(".")[0] for key in typed} & {*RESUMABLE, *LABELS}
    keys |= typed & {"data.root", "data.download", "runtime.devices"}
    used = with_environment(with_keys(stored, storable(config), keys), folder)
    used = with_keys(used, config, keys) | {key: config[key] for key in ("resume", "trust")}
    check_trust(used)
    refuse_masked(used, folder)
    return used


def with_keys(config: dict, other: dict, keys: Collection[str]) -> dict:
    """Return a config with the values that another has at some keys, and with their references."""
    sources = {
        k: v for k, v in config.get(FROM_ENVIRONMENT, {}).items() if not is_among(k, tuple(keys))
    }
    sources |= {
        k: v for k, v in other.get(FROM_ENVIRONMENT, {}).items() if is_among(k, tuple(keys))
    }
    for key in keys:
        config = with_value(config, key.split("."), node_at(other, key.split(".")))
    config = {key: value for key, value in config.items() if key != FROM_ENVIRONMENT}
    return config | {FROM_ENVIRONMENT: sources} if sources else config


def refuse_masked(config: dict, folder: Path) -> None:
    """Raise UserError for an option of which the run's folder lacks the password."""
    missing = [f"{key}={value}" for key, value in leaves(config) if is_masked(value)]
    if missing:
        raise UserError(
            f"{folder} does not hold the password of {missing[0]}.\nType resume={folder} and the "
            "option again, with the password, or ${oc.env:NAME} in its place"
        )
