"""A file to which a run appends, and whose failures cost one warning and no epoch."""

import logging
import os
from pathlib import Path

from dlcourse import atomic_files
from dlcourse.terminal.refused import refused_by_the_system, what_is_refused

MOST_WAITING = 2**26  # bytes that wait in memory to be written, before the file is given up

log = logging.getLogger(__name__)


class GrowingFile:
    """Appends bytes to a file, all of them or none.

    What the system refuses, because the disk is full for example, waits in memory and is written
    with the next bytes. The first refusal is logged as a warning.

    Raises OSError only when more than 64 MB wait, and for errors that have no known remedy.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.waiting = b""
        self.from_start = False  # whether what waits replaces the file
        self.warned = False

    def replace(self, content: bytes) -> None:
        """Replace the whole file."""
        self.waiting, self.from_start = content, True
        self.flush()

    def append(self, content: bytes) -> None:
        """Append bytes to the file."""
        self.waiting += content
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if not self.waiting and not self.from_start:
            return
        try:
            if self.from_start:
                atomic_files.write(self.path, lambda file: file.write(self.waiting))
            else:
                append_whole(self.path, self.waiting)
        except OSError as error:
            self.keep_waiting(error)
            return
        if self.warned:
            log.info("%s can be written again", self.path.name)
        self.waiting, self.from_start = b"", False

    def keep_waiting(self, error: OSError) -> None:
        """Log the first refusal as a warning; raise one that is not known or costs too much."""
        refused = refused_by_the_system(error)
        if refused is None or len(self.waiting) > MOST_WAITING:
            raise error
        if not self.warned:
            log.warning(
                "%s; the run continues, and what is missing is written as soon as it can be",
                what_is_refused(refused),
            )
        self.warned = True


def append_whole(path: Path, content: bytes) -> None:
    """Append bytes to a file; after an error the file ends where it did before."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    try:
        end = os.fstat(file).st_size
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError as error:
            os.ftruncate(file, end)
            error.filename = str(path)
            raise
    finally:
        os.close(file)
