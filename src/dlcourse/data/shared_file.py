"""Memory that several processes share, as a file that is gone when they have ended."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np


class SharedFile(NamedTuple):
    """A file in memory that other processes can open. identity: its device and number."""

    path: str
    identity: tuple[int, int]


@contextmanager
def shared_file(size: int) -> Iterator[SharedFile]:
    """Make a file of ``size`` bytes: in memory on Linux, elsewhere in the folder for such files.

    On Linux it has no name, so that nothing remains even if all processes are killed, and a small
    ``/dev/shm``, as in a container, does not limit it.
    """
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("dlcourse-images")
        try:
            os.ftruncate(number, size)
            yield SharedFile(f"/proc/{os.getpid()}/fd/{number}", device_and_number(number))
        finally:
            os.close(number)
        return
    with tempfile.TemporaryDirectory(prefix="dlcourse-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, "images")
        with open(path, "xb") as file:
            file.truncate(size)
            identity = device_and_number(file.fileno())
        yield SharedFile(str(path), identity)


def device_and_number(number: int) -> tuple[int, int]:
    """Return the device and the number of an open file."""
    status = os.fstat(number)
    return status.st_dev, status.st_ino


def mapped(file: SharedFile, shape: tuple[int, ...]) -> np.ndarray:
    """Return the first bytes of a shared file as an array uint8 that all processes see.

    Raises FileNotFoundError if the file was closed, also if its path leads to another file now.
    """
    with open(file.path, "r+b") as opened:
        if device_and_number(opened.fileno()) != file.identity:
            raise FileNotFoundError(f"{file.path} was closed")
        return np.memmap(opened, np.uint8, "r+", shape=shape)
