"""Explain an error with which the operating system refuses a file: why, and what can be done."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dlcourse.errors import shown
from dlcourse.terminal.installed import short_path

CUT_ABOVE = 200  # characters of a path in a message


class Refusal(NamedTuple):
    """Why the system refuses a file, and what the user can do."""

    why: str
    remedy: str


ALLOW = Refusal("you have no right to use it", "give yourself the right to read and write it")
GONE = Refusal("there is no such file or folder", "put it back, or name another one")
REFUSALS = {
    errno.ENOSPC: Refusal("no space left on the disk", "make room"),
    errno.EDQUOT: Refusal("your share of the disk is used up", "delete files of yours"),
    errno.EFBIG: Refusal("a file may not be larger", "type ulimit -f unlimited"),
    errno.EIO: Refusal("the disk reports an error", "copy the folder to another disk"),
    errno.EROFS: Refusal("the disk is read-only", "make it writable, or name another folder"),
    errno.EACCES: ALLOW,
    errno.EPERM: ALLOW,
    errno.ENOENT: GONE,
    errno.ENOTDIR: Refusal("a part of the path is a file, not a folder", "name another one"),
    errno.EISDIR: Refusal("it is a folder", "move it away"),
    errno.ELOOP: Refusal("it is a link that leads to itself", "name another one"),
    errno.ENAMETOOLONG: Refusal("its name is too long", "type a shorter name"),
    errno.EMFILE: Refusal("too many files are open", "type ulimit -n 4096"),
    errno.ENFILE: Refusal("too many files are open on this machine", "close other programs"),
    errno.EBUSY: Refusal("another program uses it", "stop that program"),
    errno.ESTALE: Refusal("the connection to the disk is lost", "connect it again"),
    errno.ENOTCONN: Refusal("the connection to the disk is lost", "connect it again"),
    errno.ETIMEDOUT: Refusal("the disk does not answer", "connect it again"),
}
"""By the number of the error."""
DISK_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Refusals that come while a command works, and that have nothing to do with what was typed."""
ONLY_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
CLEAR = (*DISK_FAILURES, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EMFILE)
"""Refusals that explain an error which another one has caused; a file that is not there may not."""


def refused_by_the_system(error: BaseException | None) -> OSError | None:
    """Return the OSError about a refused file, from an error or its causes; None if there is none.

    For example, Python's ``logging`` raises a ValueError for a log that cannot be opened, and
    ``torch.save`` a RuntimeError on a full disk.
    """
    known, unnamed = REFUSALS, None
    while error is not None:
        if isinstance(error, OSError) and error.errno in known:
            if error.filename is not None:
                return error
            if error.errno in CLEAR:
                unnamed = error
        known = {number: REFUSALS[number] for number in CLEAR}
        error = error.__cause__ or error.__context__
    return unnamed


def is_full(error: OSError) -> bool:
    """Return whether a disk is full or broken, so that the same command may work later."""
    return error.errno in DISK_FAILURES


def what_is_refused(error: OSError) -> str:
    """Return the file, what cannot be done with it, and why, in one sentence without its full stop.

    ``run/last.pt cannot be written: no space left on the disk (1.2 MB needed, 0.3 MB free)``.
    """
    path = refused_path(error)
    closed = closed_folder(error, path)
    if closed is not None:
        return f"{as_shown(closed)} cannot be opened: {ALLOW.why}"
    name = "A file" if path is None else as_shown(path)
    return f"{name} cannot be {verb(error, path)}: {why_refused(error)}"


def why_refused(error: OSError) -> str:
    """Return why the system refuses a file, with the sizes that are known."""
    path = refused_path(error)
    if error.errno not in REFUSALS:
        return error.strerror or str(error)
    why = REFUSALS[error.errno].why
    if path is not None and error.errno == errno.ENOENT and not path.parent.is_dir():
        why = f"its folder {as_shown(path.parent)} does not exist"
    return f"{why}{known_sizes(error, path)}"


def as_shown(path: Path) -> str:
    """Return a path as a message names it: below the current folder, and not too long."""
    try:
        text = shown(short_path(path))
    except OSError:  # the current folder was deleted
        text = shown(path)
    return text if len(text) <= CUT_ABOVE else f"{text[: CUT_ABOVE // 2]}..."


def closed_folder(error: OSError, path: Path | None) -> Path | None:
    """Return the folder above a file that this user may not open; None if there is none."""
    if path is None or error.errno != errno.EACCES:
        return None
    folders = [folder for folder in reversed(path.absolute().parents) if os.path.isdir(folder)]
    return next((folder for folder in folders if not os.access(folder, os.X_OK)), None)


def remedy(error: OSError) -> str:
    """Return what the user can do, in the imperative: ``make room``."""
    known = REFUSALS.get(error.errno or 0)
    return "look at it" if known is None else known.remedy


def in_full(error: OSError) -> str:
    """Return a message for an error of the system: what is refused, and what can be done."""
    advice = remedy(error)
    return f"{what_is_refused(error)}.\n{advice[0].upper()}{advice[1:]}"


def refused_path(error: OSError) -> Path | None:
    """Return the file of an error; None without one."""
    if not isinstance(error.filename, str | bytes | os.PathLike):
        return None
    return Path(os.fsdecode(error.filename))


def verb(error: OSError, path: Path | None) -> str:
    """Return what cannot be done with a file: it cannot be ``written``, ``read`` or ``used``."""
    if error.errno in ONLY_WRITING or hasattr(error, "needed"):
        return "written"
    if path is None or error.errno != errno.EACCES:
        return "used"
    try:
        exists = path.exists()
    except OSError:
        return "used"
    if exists:
        return "written" if os.access(path, os.R_OK) else "opened"
    return "written" if path.parent.is_dir() and not os.access(path.parent, os.W_OK) else "used"


def known_sizes(error: OSError, path: Path | None) -> str:
    """Return the bytes that were needed and those that are free, in brackets, where known."""
    needed = getattr(error, "needed", 0)  # of atomic_files.DiskFullError
    known = [f"{in_units(needed)} needed"] if needed else []
    if error.errno == errno.EFBIG:
        most = process_limit("RLIMIT_FSIZE")
        known += [] if most is None else [f"{in_units(most)} allowed"]
    elif error.errno == errno.ENOSPC and path is not None:
        free = getattr(error, "free", free_bytes(path))
        known += [] if free is None else [f"{in_units(free)} free"]
    elif error.errno == errno.ENAMETOOLONG and path is not None:
        longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
        known += [f"{longest} bytes, at most 255 are usual"] if longest > 255 else []
    elif error.errno == errno.EMFILE:
        most = process_limit("RLIMIT_NOFILE")
        known += [] if most is None else [f"{most} allowed"]
    return f" ({', '.join(known)})" if known else ""


def free_bytes(path: Path) -> int | None:
    """Return the free bytes of the disk that a path is on; None if they are unknown."""
    for folder in path.absolute().parents:
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return None


def process_limit(name: str) -> int | None:
    """Return a limit of this process, ``RLIMIT_NOFILE``; None if there is none."""
    with suppress(ImportError):  # Windows has no such limits
        import resource

        soft, _ = resource.getrlimit(getattr(resource, name))
        return None if soft == resource.RLIM_INFINITY else soft
    return None


def in_units(size: int) -> str:
    """Return a number of bytes as kB, MB or GB: ``1.2 MB``."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor / 10:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.1f} kB"
