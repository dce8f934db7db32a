"""The image that each worker process is reading, in memory shared with the process it works for.

A worker that is killed or hangs cannot say what it was reading.
"""

import os
from collections.abc import Collection

import numpy as np

from dlcourse.data.shared_file import SharedFile, mapped
from dlcourse.errors import shown

RECORD_BYTES = 1024  # bytes of a worker: its process id, the number of bytes of a name, the name
HEADER_BYTES = 12  # bytes of the two numbers

_own: np.ndarray | None = None  # (RECORD_BYTES,) of this worker; None in other processes


def names_of(workers: int) -> int:
    """Return the size of the shared file in bytes, for a number of workers."""
    return workers * RECORD_BYTES


def write_names_into(file: SharedFile, workers: int, number: int) -> None:
    """Let this process, the worker with a number, note in a shared file what it is reading."""
    global _own
    _own = own = mapped(file, (workers, RECORD_BYTES))[number % workers]
    own[:8] = np.frombuffer(os.getpid().to_bytes(8, "little"), np.uint8)


def note_being_read(name: object) -> None:
    """Note the image that this worker is reading, "" for none; other processes note nothing."""
    if _own is None:
        return
    text = os.fsencode(str(name))[-(RECORD_BYTES - HEADER_BYTES) :]
    _own[8:HEADER_BYTES] = 0  # no name, until the new one is complete
    _own[HEADER_BYTES : HEADER_BYTES + len(text)] = np.frombuffer(text, np.uint8)
    _own[8:HEADER_BYTES] = np.frombuffer(len(text).to_bytes(4, "little"), np.uint8)


def being_read(file: SharedFile, workers: int, processes: Collection[int]) -> list[str]:
    """Return the images that some workers are reading, or were when they ended.

    processes: the process ids of these workers.
    """
    found = []
    for record in mapped(file, (workers, RECORD_BYTES)):
        content = record.tobytes()
        process, length = (
            int.from_bytes(content[a:b], "little") for a, b in ((0, 8), (8, HEADER_BYTES))
        )
        if process in processes and length:
            found.append(shown(os.fsdecode(content[HEADER_BYTES : HEADER_BYTES + length])))
    return found
