"""A cache of decoded data sets, so that later starts take milliseconds."""

import logging
from collections.abc import Callable
from pathlib import Path

from dlcourse import atomic_files

CACHE_FOLDER = ".dlcourse"  # inside data.root
IMAGES_KEY = "pictures"  # of the images in a cache file, as in the files of earlier versions

log = logging.getLogger(__name__)


def cached(
    root: Path,
    name: str,
    make: Callable[[], dict],
    *,
    misfit: Callable[[dict], str] = lambda content: "",
    replaces: str = "",
) -> dict:
    """Return the result of ``make``, read from the cache if there is an intact one.

    A damaged cache file, or one with another content, is reported in a warning and written again.
    If the folder cannot be written to, a warning says so and the data are decoded at every start.

    root: the data folder; the cache file is ``.dlcourse/<name>.pt`` in it.
    misfit: returns why a cached content is not that of this data set; "" if it is.
    replaces: a glob pattern for older cache files of the same data, which are then removed.
    """
    path = root / CACHE_FOLDER / f"{name}.pt"
    try:
        content = atomic_files.load_checked(path)
        problem = misfit(content)
        if not problem:
            return content
        log.warning("%s is not the cache of these data: %s; it is written again", path, problem)
    except FileNotFoundError:
        pass
    except atomic_files.DamagedFileError as error:
        log.warning("%s; it is written again", error)
    content = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.remove_leftovers(path.parent)
        atomic_files.save_checked(path, content)
        for old in path.parent.glob(f"{replaces}.pt") if replaces else ():
            if old != path:
                old.unlink(missing_ok=True)
    except OSError as error:
        log.warning("the decoded data cannot be cached for later starts: %s", error)
    return content
