"""A run's folder: its lock, the config that it was started with, and its result."""

import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import filelock
import yaml

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.runs.migrate import migrated
from dlcourse.schema.overrides import END_KEYS, check_overrides, is_among, is_free, key_of, leaves
from dlcourse.schema.run_files import (
    CONFIG,
    DATA,
    HYDRA,
    LOG,
    OVERRIDES,
    PICKS,
    RESULT,
)
from dlcourse.schema.run_files import FAILURE as FAILURE
from dlcourse.schema.run_files import MANIFEST as MANIFEST
from dlcourse.schema.run_files import PREVIOUS as PREVIOUS
from dlcourse.schema.run_files import PRUNED as PRUNED
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path as short_path

DIVERGED = "diverged"  # ``ended_by`` of a run that diverged, which counts as one without a result
EARLIER = ("epochs", "ended_by", "best_epoch", "best", "val", "test", "mean", "std")
"""The keys of a result that are kept when the run is resumed with a later end."""
METRICS = {"best", "val", "test", "train", "mean", "std", "out_of_fold", "ensemble"}
"""Keys of a result that hold a metric, or metrics by name."""


def claim(wanted: Path) -> Path:
    """Make a new folder; if it exists, append ``-2``, ``-3`` ... to its name. Return its path.

    Raises UserError if no folder can be made.
    """
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                if not folder.is_dir():
                    raise
    except OSError as error:
        raise unwritable(wanted, error) from error
    raise AssertionError("count() ended")


def make_folder(folder: Path) -> Path:
    """Make the folder that the user has named; raises UserError if it already holds a run."""
    if os.path.exists(folder / CONFIG):  # Path.exists raises for a name that is too long
        raise UserError(
            f"The folder {folder} already holds a run.\n"
            f"Type resume={folder} to resume it, or another hydra.run.dir"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def discard(folder: Path) -> None:
    """Remove the folder of a run that never started: without a checkpoint or a history."""
    if all(path.name in (".hydra", LOG, DATA) for path in folder.iterdir()):
        shutil.rmtree(folder)


def unwritable(folder: Path, error: OSError, key: str = "hydra.run.dir") -> UserError:
    """Return the error for a folder that cannot be written to.

    key: the option with which the user can name another folder.
    """
    return UserError(
        f"The output folder {folder} cannot be made: {error.strerror or error}.\n"
        f"Type {key}=<folder>, somewhere you may write"
    )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run's folder against other processes while the block runs.

    The lock ends with the process at the latest. Raises UserError if another process has it.
    """
    (folder / ".hydra").mkdir(exist_ok=True)
    try:
        with filelock.FileLock(folder / ".hydra/lock", timeout=0):
            yield
    except filelock.Timeout as error:
        raise UserError(f"Another process is using {folder}; wait for it or stop it.") from error


def wait_until_free(folder: Path, seconds: float) -> None:
    """Wait until no process has locked a run's folder, at most this number of seconds."""
    lock = folder / ".hydra/lock"
    if lock.exists():
        with suppress(filelock.Timeout), filelock.FileLock(lock, timeout=seconds):
            pass


def record(folder: Path, config: dict, overrides: list[str], hydra: str) -> None:
    """Store the config and overrides of a new run; compare a resumed run with the stored config.

    config: plain, without interpolations. hydra: Hydra's own config as YAML.
    Raises UserError if the stored config differs in more than the end of the run.
    """
    if (folder / CONFIG).exists():
        refuse_differences(folder, config, END_KEYS)
        return
    atomic_files.write_text(folder / OVERRIDES, yaml.safe_dump(overrides, allow_unicode=True))
    atomic_files.write_text(folder / HYDRA, hydra)
    write_config(folder, config)


def write_config(folder: Path, config: dict) -> None:
    """Write the config that a run is resumed with."""
    config = config | {"resume": None, "trust": []}
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    atomic_files.write_text(folder / CONFIG, text)


def replace_config(folder: Path, config: dict, typed: list[str]) -> None:
    """Change the end of a run in its stored config and overrides.

    typed: this command's overrides; those of ``END_KEYS`` replace the stored ones. The overrides
    are written before the config, so that after a crash in between the config has the earlier end.
    """
    moved = [override for override in typed if is_among(key_of(override), END_KEYS)]
    kept = without(stored_overrides(folder), moved)
    atomic_files.write_text(folder / OVERRIDES, yaml.safe_dump([*kept, *moved], allow_unicode=True))
    chosen = {key_of(text): text.partition("=")[2] for text in moved if key_of(text) == "stop"}
    hydra = yaml.safe_load((folder / HYDRA).read_text(encoding="utf-8")) or {}
    if chosen and "hydra" in hydra:
        hydra["hydra"]["runtime"]["choices"] |= chosen
        atomic_files.write_text(folder / HYDRA, yaml.safe_dump(hydra, sort_keys=False))
    stored = stored_config(folder)
    write_config(folder, stored | {key: config[key] for key in END_KEYS})


def without(overrides: list[str], moved: list[str]) -> list[str]:
    """Return the overrides without those that ``moved`` replaces: its keys and their options."""
    keys = {key_of(override) for override in moved}
    return [
        text for text in overrides
        if key_of(text) not in keys and key_of(text).split(".")[0] not in keys
    ]  # fmt: skip


def end_moved(folder: Path, config: dict) -> bool:
    """Return whether a config has another end than the run's stored one."""
    stored = stored_config(folder)
    return any(stored.get(key) != config.get(key) for key in END_KEYS)


def stored_config(folder: Path) -> dict:
    """Return the config that a run was started with; nothing in it is imported or called here.

    A config of an older dlcourse is completed with the keys that came later.

    Raises UserError if there is none or it cannot be read.
    """
    path = folder / CONFIG
    if not path.exists():
        raise UserError(
            f"{folder} is not a run's folder: {CONFIG} is not in it.\n"
            "Type resume=<folder>, a folder that a run has made, such as outputs/<date>/<run>"
        )
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or "${" in str(config):
        raise UserError(f"{path} is not a config that dlcourse has written")
    return migrated(config)


def stored_overrides(folder: Path) -> list[str]:
    """Return the overrides that the run was started with, ``["model=mlp", "optim.lr=0.1"]``.

    They may come from anybody: raises UserError for anything that dlcourse would not store.
    """
    path = folder / OVERRIDES
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    return check_overrides(stored or [], path)


def stored_choices(folder: Path) -> dict[str, str]:
    """Return the choice in each group, ``{"model": "lenet", "optim": "adam", ...}``."""
    path = folder / HYDRA
    if not path.exists():
        return {}
    hydra = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return hydra.get("hydra", {}).get("runtime", {}).get("choices", {})


def refuse_differences(folder: Path, config: dict, allowed: tuple[str, ...] = ()) -> None:
    """Raise UserError that lists every key in which a config differs from the stored one.

    allowed: keys that may differ in addition to the free ones.
    """
    old, new = (dict(leaves(some)) for some in (stored_config(folder), config))
    differing = [
        f"  {key}: {old.get(key, 'absent')} -> {new.get(key, 'absent')}"
        for key in sorted(old.keys() | new.keys())
        if not is_free(key)
        and not is_among(key, allowed)
        and old.get(key, "absent") != new.get(key, "absent")
    ]
    if differing:
        lines = "\n".join(differing)
        raise UserError(
            f"{folder} was started with another config. These keys differ:\n{lines}\n"
            f"Type resume={folder} alone to resume it as it was started, or leave resume out to "
            "start a new run"
        )


def read_result(folder: Path) -> dict | None:
    """Return the result of a finished run; None for one that has not finished or has diverged.

    A metric that is undefined is null in the file and NaN in the returned dict.
    """
    result = with_nan(read_json(folder / RESULT, "resume the run"))
    return None if isinstance(result, dict) and result.get("ended_by") == DIVERGED else result


def with_nan(result: Any) -> Any:
    """Return a result with NaN in place of every metric that is null in its file."""
    if not isinstance(result, dict):
        return result
    found = dict(result)
    for key in METRICS & found.keys():
        value = found[key]
        if isinstance(value, dict):
            found[key] = {n: math.nan if v is None else v for n, v in value.items()}
        elif value is None:
            found[key] = math.nan
    if isinstance(found.get("folds"), list):
        found["folds"] = [with_nan(fold) for fold in found["folds"]]
    return found


def write_divergence(folder: Path, message: str) -> None:
    """Record that a run has diverged, as the reason why it has no result."""
    reason = message.split("\n")[0]
    note = {"reason": reason, "status": 1, "attempts": 1, "log": LOG, "diverged": True}
    atomic_files.write_json(folder / FAILURE, note, indent=1)


def refuse_diverged(folder: Path) -> None:
    """Raise UserError if a run has diverged: resumed, it would diverge again."""
    failure = read_json(folder / FAILURE, "resume the run")
    if not isinstance(failure, dict) or not failure.get("diverged"):
        return
    typed = [text for text in stored_overrides(folder) if key_of(text) != "optim.lr"]
    raise UserError(
        f"{failure['reason']}\n"
        "Resuming takes the same steps again and ends the same; the last checkpoint is kept.\n"
        f"Start a new run with a smaller learning rate: {own_name()} "
        f"{' '.join([*typed, 'optim.lr=<smaller>'])}\n"
        f"If you have corrected your code since, delete {short_path(folder / FAILURE)} and resume"
    )


def read_picks(folder: Path) -> dict | None:
    """Return the options that ``runtime=auto`` has chosen for a run; None if it has not yet."""
    return read_json(folder / PICKS, "it is chosen again")


def read_json(path: Path, then: str) -> dict | None:
    """Return the content of a JSON file; None if there is no file.

    then: what happens once the file is deleted, for the message. Raises UserError for a file that
    cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.\nDelete it, and {then}") from error


def write_picks(folder: Path, picks: dict) -> None:
    """Store the options that ``runtime=auto`` has chosen, for when the run is resumed."""
    atomic_files.write_json(folder / PICKS, picks, indent=2)


def write_result(folder: Path, result: dict) -> None:
    """Write the result of a run, which then counts as finished.

    For a run that was resumed with a later end, ``continued`` lists the earlier results.
    """
    previous = read_json(folder / PREVIOUS, "its earlier end is not listed in the next result")
    if isinstance(previous, dict) and result.get("ended_by") != DIVERGED:
        ends = {key: previous[key] for key in EARLIER if key in previous}
        result = result | {"continued": [*previous.get("continued", []), ends]}
    text = atomic_files.to_json(result, indent=2)
    flat = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    atomic_files.write_text(folder / RESULT, flat + "\n")
    if "continued" in result:
        (folder / PREVIOUS).unlink(missing_ok=True)
