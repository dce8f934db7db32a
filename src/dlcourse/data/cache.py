"""Decoded data sets, kept so that later starts take milliseconds."""

import logging
from collections.abc import Callable
from pathlib import Path

from dlcourse import atomic_files

FOLDER = ".dlcourse"  # inside data.root
IMAGES = "pictures"  # the key of the images in a cache's file

log = logging.getLogger(__name__)


def cached(root: Path, name: str, make: Callable[[], dict], *, replaces: str = "") -> dict:
    """Return what ``make`` returns: from the cache if it is there and whole, else by making it.

    A damaged cache is named in a warning and made again. Where nothing can be written, a warning
    says so and the data are decoded at every start.

    replaces: a pattern of the names of older caches of the same files, which are then removed.
    """
    path = root / FOLDER / f"{name}.pt"
    try:
        return atomic_files.load(path)
    except FileNotFoundError:
        pass
    except atomic_files.DamagedFileError as error:
        log.warning("%s; it is made again", error)
    content = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.save(path, content)
        for old in path.parent.glob(f"{replaces}.pt") if replaces else ():
            if old != path:
                old.unlink(missing_ok=True)
    except OSError as error:
        log.warning("the decoded data cannot be kept for later starts: %s", error)
    return content
