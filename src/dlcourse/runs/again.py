"""Prepare a new run from the config that an earlier run has stored."""

import shutil
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import open_dict, read_write

from dlcourse import __version__, atomic_files
from dlcourse.errors import UserError, nearest
from dlcourse.runs import run_folder, start_record
from dlcourse.runs.prepare import PreparedRun
from dlcourse.runs.stored_addresses import stay_local
from dlcourse.schema.command_line import plain_values
from dlcourse.schema.compose import compose_job, hydra_of_run, without_hydra
from dlcourse.schema.overrides import all_keys, key_of, leaves
from dlcourse.schema.run_files import CONFIG, MANIFEST, PICKS
from dlcourse.schema.trust import check_trust
from dlcourse.schema.validate import GROUPS, SWEEP_KEYS, check
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path

ORIGIN = ".hydra/rerun.json"
"""Where a run came from: ``{"rerun_of": <folder>, "overrides": [...], "dlcourse": <version>}``."""


def source_of(folder: Path) -> Path:
    """Return the run's folder for that of a run, of a sweep's job or of a fold.

    Raises UserError for any other folder.
    """
    if (folder / MANIFEST).exists():
        raise UserError(
            f"{short_path(folder)} holds a sweep, and one run is trained again.\nType the folder "
            f"of one of its jobs, or {own_name()} resume={short_path(folder)} for missing jobs"
        )
    whole = folder.resolve().parent
    if not (folder / CONFIG).exists() and (whole / CONFIG).exists():
        return Path(short_path(whole))
    return folder


def prepare_again(source: Path, overrides: Sequence[str], config_dir: str | None) -> PreparedRun:
    """Return a new run with the stored config of another and overrides on top.

    The config is the stored one, completed for this version, and not today's defaults. Its code
    must be trusted as in ``resume``. Raises UserError for what cannot be run.
    """
    refuse_for_again(overrides)
    values = plain_values([text for text in overrides if not key_of(text).startswith("hydra")])
    typed = [text for text in overrides if key_of(text) in values]
    stored = start_record.usable_config(source)
    earlier = start_record.without(start_record.stored_overrides(source), typed)
    config = with_overrides(stored, values, earlier, typed, config_dir)
    config |= {"resume": None, "trust": values.get("trust", [])}
    check_trust(config)
    if not any(key.split(".")[0] == "observe" for key in values):
        stay_local(config)
    check(config)
    choices = start_record.stored_choices(source)
    choices |= {key: str(value) for key, value in values.items() if key in GROUPS}
    own = [text for text in overrides if key_of(text).startswith("hydra")]
    cfg = compose_job(own, None)
    named = any(key_of(text) == "hydra.run.dir" for text in own)
    folder = run_folder.make_folder(Path(cfg.hydra.run.dir)) if named else claim_named(choices)
    with read_write(cfg.hydra), open_dict(cfg.hydra):
        cfg.hydra.runtime.choices = choices
        cfg.hydra.overrides.task = [*earlier, *typed]
    if not any(key.split(".")[0] == "runtime" for key in values) and (source / PICKS).exists():
        shutil.copy(source / PICKS, folder / PICKS)  # the kernels that runtime=auto has measured
    write_origin(folder, source, overrides)
    return PreparedRun(
        config, folder, [*earlier, *typed], hydra_of_run(cfg, folder), new_folder=not named
    )


def refuse_for_again(overrides: Sequence[str]) -> None:
    """Raise UserError for overrides that another run of one config cannot take."""
    for text in overrides:
        key = key_of(text)
        if key == "resume":
            raise UserError(
                "resume= goes on with a run in its own folder, and rerun starts a new one.\n"
                f"Type {own_name()} {text}"
            )
        if key in SWEEP_KEYS or key.startswith("sweep."):
            raise UserError(f"{text} is for a sweep, and one run is trained again.\nLeave it out")
        if text[0] in "+~":
            raise UserError(
                f"{text}: the stored config has all keys of the run, and none is added or removed."
                f"\nType {key}=<value>"
            )


def with_overrides(
    stored: dict[str, Any],
    values: dict[str, Any],
    earlier: Sequence[str],
    typed: Sequence[str],
    config_dir: str | None,
) -> dict[str, Any]:
    """Return a stored config with overrides: those of values, and other choices of groups.

    A choice replaces what it brings along today; every other key keeps its stored value.
    """
    config = deepcopy(stored)
    if any(key in GROUPS for key in values):
        same = [f"random_streams={stored['random_streams']}", *earlier]
        before = without_hydra(compose_job(same, config_dir))
        after = without_hydra(compose_job([*same, *typed], config_dir))
        for group in (key for key in after if before[key] != after[key]):
            config[group] = merged(config[group], before[group], after[group], group in values)
    known = all_keys(config)
    for key, value in values.items():
        if key in GROUPS or key == "trust":
            continue
        if key not in known:
            names = [name for name, _ in leaves(config, private=False)]
            raise UserError(f"{key} is not a key of this run; {nearest(key, names)}.")
        set_value(config, key.split("."), value)
    return config


def merged(stored: Any, before: Any, after: Any, chosen: bool) -> Any:
    """Return what a group's choice makes of its stored node: the new one, or what it changes.

    chosen: the choice itself was typed, so that the node is the new one with the options that all
    choices of the group share.
    """
    if not (isinstance(stored, dict) and isinstance(before, dict) and isinstance(after, dict)):
        return deepcopy(after)
    shared = {key for key in stored if key in before and before.get(key) == after.get(key)}
    if chosen or stored.get("_target_") != after.get("_target_"):
        return deepcopy(after) | {key: stored[key] for key in shared if key in after}
    kept = {key: value for key, value in stored.items() if key in shared or key not in before}
    return kept | {key: deepcopy(after[key]) for key in after if key not in shared}


def set_value(config: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a value of a nested config in place."""
    for part in path[:-1]:
        config = config[part]
    config[path[-1]] = value


def claim_named(choices: dict[str, str]) -> Path:
    """Make the folder of a new run, named as that of any other."""
    now = datetime.now()
    names = "_".join(str(choices.get(group, group)) for group in ("model", "data", "optim"))
    return run_folder.claim(Path(f"outputs/{now:%Y-%m-%d}") / f"{now:%H-%M-%S}-{names}")


def write_origin(folder: Path, source: Path, overrides: Sequence[str]) -> None:
    """Record in a new run's folder which run it repeats, and with which overrides."""
    origin = {"rerun_of": str(source.absolute()), "overrides": list(overrides)}
    (folder / ".hydra").mkdir(exist_ok=True)
    atomic_files.write_json(folder / ORIGIN, origin | {"dlcourse": __version__}, indent=1)


def read_origin(folder: Path) -> dict[str, Any] | None:
    """Return which run a run repeats; None for one that repeats no other."""
    return run_folder.read_json(folder / ORIGIN, "its origin is not shown any more")
