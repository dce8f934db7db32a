"""The ids of a run in the trackers, stored in its folder so that a resumed run continues them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from dlcourse import atomic_files
from dlcourse.schema.untrusted import load_json


def read_identity(folder: str | Path, library: str) -> dict[str, Any]:
    """Return what ``write_identity`` has stored; {} if there is nothing that can be read."""
    try:
        content = load_json(Path(folder) / f"{library}.json")
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_identity(folder: str | Path, library: str, **content: Any) -> None:
    """Store the id of a run in a tracker in ``<library>.json`` in its folder."""
    atomic_files.write_json(Path(folder) / f"{library}.json", content, indent=1)


@contextmanager
def in_turns(folder: str | Path, library: str) -> Iterator[None]:
    """Let one process at a time run the block, among those that track into the same folder."""
    with filelock.FileLock(Path(folder) / f".{library}.lock", timeout=60):
        yield


def existing_files(folder: str, names: Sequence[str]) -> list[Path]:
    """Return the paths of those files of a run's folder that exist."""
    return [path for name in names if (path := Path(folder) / name).is_file()]
