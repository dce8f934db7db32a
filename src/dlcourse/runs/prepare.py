"""Turn a composed config into a checked run with a folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError
from dlcourse.runs import run_folder, start_record
from dlcourse.runs.labels import change_labels
from dlcourse.runs.migrate import changed_defaults
from dlcourse.runs.stored_addresses import stay_local
from dlcourse.schema import run_files
from dlcourse.schema.compose import compose_job, hydra_of_run, without_hydra
from dlcourse.schema.overrides import END_KEYS, LABELS, is_free, key_of
from dlcourse.schema.trust import check_trust
from dlcourse.schema.validate import GROUPS, check, check_key


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
    recorded = list(hydra.hydra.overrides.task)
    return PreparedRun(config, folder, recorded, hydra, new_folder, finished)


def resumed_config(
    folder: Path, config: dict, overrides: list[str], config_dir: str | None
) -> dict:
    """Return the config with which a run is resumed: the stored one, with the keys that may differ.

    These are ``END_KEYS`` and the free keys. Raises UserError if an override would change any
    other, or if the stored config calls code that is not trusted.
    """
    stored = start_record.stored_config(folder)
    given = [override for override in overrides if not is_free(key_of(override))]
    if given:
        same = changed_defaults(stored)
        earlier = start_record.without(start_record.stored_overrides(folder), overrides)
        wanted = without_hydra(compose_job([*same, *earlier, *overrides], config_dir))
        start_record.refuse_differences(folder, wanted, END_KEYS)
        ends = {key_of(override).split(".")[0] for override in given} & set(END_KEYS)
        stored |= {key: wanted[key] for key in ends}
    stored |= {"resume": config["resume"], "trust": config["trust"]}
    typed = {key_of(override) for override in overrides}
    resumable = {"observe", "checkpoint_every", "engine", *LABELS}
    for key in {key.split(".")[0] for key in typed} & resumable:
        stored[key] = config[key]
    for key in ("root", "download"):
        if f"data.{key}" in typed:
            stored["data"][key] = config["data"][key]
    if "runtime.devices" in typed:
        stored["runtime"]["devices"] = config["runtime"]["devices"]
    check_trust(stored)
    if "observe" not in {key.split(".")[0] for key in typed}:
        stay_local(stored)
    return stored
