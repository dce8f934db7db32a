"""End a run that the system refuses a file or memory: say how far it is whole, and what to type."""

import re
import traceback
from contextlib import suppress
from pathlib import Path

from dlcourse.errors import FileError, OutOfMemoryError
from dlcourse.schema import run_files
from dlcourse.terminal.command import memory_message, own_name
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.refused import is_full, remedy, what_is_refused


def file_error(error: OSError, folder: Path, resume: str) -> FileError:
    """Return the error of a run for which the system refuses a file.

    It names the file and the reason, how far the run is whole, and what to type.

    resume: the command that resumes the run.
    """
    what, advice = what_is_refused(error), remedy(error)
    if not folder.is_dir():
        text = f"The folder {short_path(folder)} was deleted, and nothing of the run is left"
        found = FileError(f"{text}.\nType {own_name()} with the same overrides to start it again")
    elif not (folder / run_files.CONFIG).exists():
        found = FileError(f"{what}.\nNothing was started: {advice}, and type the command again")
        found.status = 1 if is_full(error) else 2
    else:
        begun = how_far(folder)
        text = begun or "No epoch is finished"
        found = FileError(f"{what}.\n{text}: {advice}, and type {resume}")
        found.status = 1 if begun or is_full(error) else 2
    return found


def memory_error(error: BaseException, config: dict) -> OutOfMemoryError:
    """Return the error of a run that needs more memory than there is, with its batch size.

    It refers to nothing of the run, so that the memory can be used again: the local variables in
    the traceback of ``error`` are cleared.
    """
    pieces = config.get("accumulate", 1)
    used = f"batch_size={config['batch_size']}" + (f" accumulate={pieces}" if pieces > 1 else "")
    text = memory_message(error, used)
    traceback.clear_frames(error.__traceback__)
    return OutOfMemoryError(text)


def how_far(folder: Path) -> str:
    """Return how far a run's checkpoints are whole, in words; empty without an epoch.

    ``The run is whole up to epoch 12``, ``The run is whole up to epoch 3 of fold2``.
    """
    folds = sorted(folder.glob("fold*/"), key=lambda path: int("0" + re.sub(r"\D", "", path.name)))
    for part in [*reversed(folds), folder]:
        where = "" if part == folder else f" of {part.name}"
        if (part / run_files.RESULT).exists():
            return f"The run is whole up to the end{where}"
        with suppress(Exception):  # the disk may be broken
            if epoch := epoch_of(part):
                return f"The run is whole up to {epoch}{where}"
        if (part / run_files.LAST_CHECKPOINT).exists():
            return f"The run is whole up to its last checkpoint{where}"
    return ""


def epoch_of(folder: Path) -> str:
    """Return up to where the last checkpoint goes, ``epoch 12``; empty without one."""
    from dlcourse.train.checkpoint import has_checkpoint, read_last  # with PyTorch

    if not has_checkpoint(folder):
        return ""
    content = read_last(folder, lazily=True)
    epochs, midway = len(content["history"]), content.get("midway")
    return f"step {midway['step']} of epoch {epochs + 1}" if midway else f"epoch {epochs}"
