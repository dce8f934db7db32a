"""Let one file operation of a process end it, or fail as a full or broken disk lets it fail."""

import builtins
import errno
import io
import mmap
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

DEATH = "death"
FAULTS = {DEATH: 0, "ENOSPC": errno.ENOSPC, "EIO": errno.EIO}
"""What happens at an operation: the process ends, or the operation raises an OSError."""
DIED = 86  # the exit status of a process that ends at an operation
TO_WRITE = set("wax+")  # the modes of ``open`` that are counted
NOT_RAW = str.maketrans("", "", "btU")
BY_PATH = ("mkdir", "rmdir", "unlink", "remove", "replace", "rename", "link", "symlink", "truncate")
WITH_TWO_NAMES = ("replace", "rename", "link", "symlink")
BY_NUMBER = ("write", "fsync", "fdatasync", "ftruncate")
"""The functions of ``os`` that are counted, by their first argument."""


class Operations:
    """Counts the file operations of a process in a folder; the n-th has a fault.

    fault: one of FAULTS. number: n, from 1; 0 for none. The count is in memory that is shared with
    the process that has forked this one. names: a file for the operations, a line each.
    """

    def __init__(self, folder: Path, fault: str, number: int, names: Path) -> None:
        self.folder, self.fault, self.number = os.path.realpath(folder), fault, number
        self.memory = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")
        self.paths: dict[int, str] = {}
        self.names, self.open, self.os_open = names, builtins.open, os.open

    @property
    def count(self) -> int:
        """The number of operations so far."""
        return self.memory[0]

    def is_ours(self, path: Any) -> bool:
        """Return whether a path is the folder or in it."""
        if not isinstance(path, str | os.PathLike):
            return False
        whole = os.path.realpath(path)
        return whole == self.folder or whole.startswith(self.folder + os.sep)

    def short(self, path: Any) -> str:
        """Return a path from the folder on."""
        return os.path.relpath(os.path.realpath(path), self.folder)

    def happens(
        self, what: str, path: Any, half: Callable[[], object] = tuple, more: str = ""
    ) -> None:
        """Count an operation; end the process or raise OSError if it is the n-th.

        half: is called before that, for an operation that is half done. more: text for its line.
        """
        self.memory[0] += 1
        with self.open(self.names, "a", encoding="utf-8") as file:
            file.write(f"{what} {self.short(path)}{more}\n")
        if self.count != self.number:
            return
        half()
        if self.fault == DEATH:
            os._exit(DIED)
        number = FAULTS[self.fault]
        raise OSError(number, os.strerror(number), str(path))

    def watch(self) -> None:
        """Count the operations of this process from now on; for a fork only."""
        builtins.open = io.open = self.opened  # pyright: ignore[reportAttributeAccessIssue]
        os.open = self.opened_by_number
        for name in BY_PATH:
            setattr(os, name, self.by_path(getattr(os, name)))
        for name in BY_NUMBER:
            setattr(os, name, self.by_number(getattr(os, name)))

    def opened(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *given: Any,
        **options: Any,
    ) -> Any:
        """Open a file as ``open`` does."""
        if not TO_WRITE & set(mode) or not self.is_ours(file):
            return self.open(file, mode, buffering, encoding, errors, newline, *given, **options)
        self.happens("open", file)
        raw = CountedFile(file, mode, self)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)

    def opened_by_number(self, path: Any, *given: Any, **options: Any) -> int:
        """Open a file or folder as ``os.open`` does."""
        ours = self.is_ours(path)
        if ours:
            self.happens("open", path)
        number = self.os_open(path, *given, **options)
        self.paths.pop(number, None)
        if ours:
            self.paths[number] = os.fspath(path)
        return number

    def by_path(self, function: Callable) -> Callable:
        """Return a function of ``os`` whose calls with a path in the folder are counted."""

        @wraps(function)
        def called(path: Any, *given: Any, **options: Any) -> Any:
            if self.is_ours(path):
                more = f" to {self.short(given[0])}" if function.__name__ in WITH_TWO_NAMES else ""
                self.happens(function.__name__, path, more=more)
            return function(path, *given, **options)

        return called

    def by_number(self, function: Callable) -> Callable:
        """Return a function of ``os`` whose calls with a file in the folder are counted."""

        @wraps(function)
        def called(number: int, *given: Any, **options: Any) -> Any:
            if number in self.paths:
                self.happens(function.__name__, self.paths[number])
            return function(number, *given, **options)

        return called


class CountedFile(io.FileIO):
    """A file that is open for writing. What reaches the system is counted, after all buffers."""

    def __init__(self, file: Any, mode: str, operations: Operations) -> None:
        super().__init__(file, mode.translate(NOT_RAW))
        self.path, self.operations = os.fspath(file), operations
        operations.paths[self.fileno()] = self.path

    def write(self, content: Any) -> int:
        """Write; at a fault half of the content is on the disk."""
        write = super().write
        self.operations.happens("write", self.path, lambda: write(content[: len(content) // 2]))
        return write(content)

    def close(self) -> None:
        """Close the file, which is not counted."""
        if not self.closed:
            self.operations.paths.pop(self.fileno(), None)
        super().close()
