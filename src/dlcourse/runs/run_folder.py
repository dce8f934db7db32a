"""A run's folder: how it is made and locked, and the result in it."""

import errno
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import filelock

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.runs.file_shapes import (
    ENGINE_SHAPE,
    FAILURE_SHAPE,
    PICKS_SHAPE,
    result_misfit,
)
from dlcourse.runs.links import refuse_links
from dlcourse.runs.start_record import stored_overrides
from dlcourse.schema.overrides import key_of
from dlcourse.schema.run_files import (
    CHECKPOINTS,
    CONFIG,
    DATA,
    FAILURE,
    LOG,
    PICKS,
    PREVIOUS,
    RESULT,
    TOGETHER,
)
from dlcourse.schema.stored_shape import misfit
from dlcourse.schema.untrusted import load_json
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.refused import as_shown, in_full, why_refused

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
        f"The output folder {as_shown(folder)} cannot be made: {why_refused(error)}.\n"
        f"Type {key}=<folder>, somewhere you may write"
    )


def refuse_unwritable(folder: Path) -> None:
    """Raise UserError if a run cannot write into its folder, before any time is spent."""
    for place in (folder, folder / ".hydra", folder / ".hydra/lock", folder / CHECKPOINTS):
        rights = os.W_OK | (os.X_OK if os.path.isdir(place) else os.R_OK)
        if os.path.exists(place) and not os.access(place, rights):
            number = errno.EROFS if is_read_only(place) else errno.EACCES
            raise UserError(
                f"{in_full(OSError(number, '', str(place)))}; then type the command again"
            )


def is_read_only(folder: Path) -> bool:
    """Return whether a folder is on a disk that is read-only."""
    read_only = getattr(os, "ST_RDONLY", 0)  # Windows has none
    return bool(read_only and os.statvfs(folder).f_flag & read_only)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run's folder against other processes while the block runs.

    The lock ends with the process at the latest. Raises UserError if another process has it.
    """
    refuse_links(folder)
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


def read_result(folder: Path) -> dict | None:
    """Return the result of a finished run; None for one that has not finished or has diverged.

    A metric that is undefined is null in the file and NaN in the returned dict.
    Raises UserError for a file that is not the result of a run.
    """
    result = read_json(folder / RESULT, "resume the run")
    if result is None or result.get("ended_by") == DIVERGED:
        return None
    problem = result_misfit(result)
    if problem:
        raise UserError(
            f"{folder / RESULT} is not a result that dlcourse has written: {problem}.\n"
            "Delete it, and resume the run"
        )
    return with_nan(result)


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
    failure = read_json(folder / FAILURE, "resume the run", FAILURE_SHAPE)
    if failure is None or not failure.get("diverged"):
        return
    typed = [text for text in stored_overrides(folder) if key_of(text) != "optim.lr"]
    raise UserError(
        f"{failure.get('reason') or 'This run has diverged.'}\n"
        "Resuming takes the same steps again and ends the same; the last checkpoint is kept.\n"
        f"Start a new run with a smaller learning rate: {own_name()} "
        f"{' '.join([*typed, 'optim.lr=<smaller>'])}\n"
        f"If you have corrected your code since, delete {short_path(folder / FAILURE)} and resume"
    )


def read_picks(folder: Path) -> dict | None:
    """Return the options that ``runtime=auto`` has chosen for a run; None if it has not yet."""
    return read_json(folder / PICKS, "it is chosen again", PICKS_SHAPE)


def read_engine(folder: Path) -> str | None:
    """Return the engine that trains a run together with others; None if none is chosen yet."""
    found = read_json(folder / TOGETHER, "it is chosen again", ENGINE_SHAPE)
    return None if found is None else found["engine"]


def write_engine(folder: Path, engine: str) -> None:
    """Store the engine that trains a run together with others, for when the run is resumed."""
    atomic_files.write_json(folder / TOGETHER, {"engine": engine}, indent=2)


def read_json(path: Path, then: str, shape: Mapping[str, Any] | None = None) -> dict | None:
    """Return the content of a JSON file that holds a mapping; None if there is no file.

    then: what happens once the file is deleted, for the message. shape: of the content, see
    ``schema.stored_shape``. Raises UserError for a file that cannot be read or does not fit.
    """
    try:
        content = load_json(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(in_full(error)) from error
    except ValueError as error:
        raise UserError(f"{path} cannot be read: {error}.\nDelete it, and {then}") from error
    problem = misfit(content, dict(shape or {}))
    if problem:
        raise UserError(
            f"{path} is not a file that dlcourse has written: {problem}.\nDelete it, and {then}"
        )
    return content


def write_picks(folder: Path, picks: dict) -> None:
    """Store the options that ``runtime=auto`` has chosen, for when the run is resumed."""
    atomic_files.write_json(folder / PICKS, picks, indent=2)


def write_result(folder: Path, result: dict) -> None:
    """Write the result of a run, which then counts as finished.

    For a run that was resumed with a later end, ``continued`` lists the earlier results.
    """
    previous = read_json(
        folder / PREVIOUS, "its earlier end is not listed in the next result",
        {"continued?": [dict]},
    )  # fmt: skip
    if previous is not None and result.get("ended_by") != DIVERGED:
        ends = {key: previous[key] for key in EARLIER if key in previous}
        result = result | {"continued": [*previous.get("continued", []), ends]}
    text = atomic_files.to_json(result, indent=2)
    flat = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    atomic_files.write_text(folder / RESULT, flat + "\n")
    if "continued" in result:
        (folder / PREVIOUS).unlink(missing_ok=True)
