"""Let a log file that cannot be written cost one warning and nothing else."""

import logging
import sys
from functools import partial

from dlcourse.terminal.refused import what_is_refused


def steady_logs() -> None:
    """Print one warning for the first line that a log file of the root logger cannot take.

    Python would print a traceback for every line. Later lines are written once the disk has room.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            warned: list[str] = []
            handler.handleError = partial(warn_once, handler, warned)


def warn_once(handler: logging.FileHandler, warned: list[str], record: logging.LogRecord) -> None:
    """Print why a log file cannot be written; only once, and as Python does for other errors.

    warned: what was printed so far.
    """
    error = sys.exception()
    if not isinstance(error, OSError):
        logging.FileHandler.handleError(handler, record)
    elif not warned:
        error.filename = handler.baseFilename
        warned.append(what_is_refused(error))
        print(f"WARNING: {warned[0]}; the run continues without this line", file=sys.stderr)
