"""Keep failures of observers, plots and reports from ending a run."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dlcourse.errors import UserError

log = logging.getLogger(__name__)


@contextmanager
def guarded(what: str, *passing: type[Exception]) -> Iterator[None]:
    """Turn an exception of the block into one warning; the traceback goes to train.log alone.

    what: the part that failed, ``"The plot heat_map.png"``. passing: types of exceptions that are
    raised all the same, as KeyboardInterrupt and SystemExit always are.
    """
    try:
        yield
    except passing:
        raise
    except Exception as error:  # whatever a library or a user's own code raises
        warn(f"{what} failed", error)


def warn(text: str, error: Exception) -> None:
    """Log a warning with the reason in one line, and the traceback at level INFO."""
    log.warning("%s: %s", text, reason_of(error))
    log.info("%s", text, exc_info=error)


class Droppable:
    """Forward method calls to an observer; after one fails, warn once and forward no more.

    what: the observer's name in the warning. A failed or dropped call returns None.
    """

    def __init__(self, what: str, watched: Any) -> None:
        self.what, self.watched = what, watched

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if self.watched is None:
                return None
            try:
                return getattr(self.watched, method)(*arguments, **keywords)
            except Exception as error:
                self.watched = None
                warn(f"{self.what} failed, and is left out from now on", error)
                return None

        return call


def reason_of(error: Exception) -> str:
    """Return the reason of an error in one line, ``ValueError: no such column``."""
    lines = str(error).strip().splitlines()
    if isinstance(error, UserError) and lines:
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
