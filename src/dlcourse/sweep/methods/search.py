"""The ask/tell interface of a search, and the search over a list of points."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from dlcourse.sweep.conditional_keys import Overrides


class JobState(StrEnum):
    """How a job or a trial has ended."""

    DONE = "done"
    PRUNED = "pruned"
    FAILED = "failed"


class Trial(NamedTuple):
    """A point with its number."""

    number: int
    point: Overrides


class Search(Protocol):
    """Ask/tell interface of a search, which itself knows whether larger values are better."""

    prunes: bool
    """Whether ``report`` may return False."""

    def ask(self) -> Trial | None:
        """Return the next trial, or None if there are no more."""
        ...

    def report(self, number: int, step: int, value: float) -> bool:
        """Record a trial's value after a step; return whether the trial should continue."""
        ...

    def tell(self, number: int, value: float | None, state: JobState) -> None:
        """Record how a trial has ended; value: its mean over the jobs that are done."""
        ...


class ListedPoints:
    """A search over a list of points: ``ask`` returns each once, in order."""

    prunes = False

    def __init__(self, points: Sequence[Overrides]) -> None:
        self.trials: Iterator[Trial] = (Trial(n, point) for n, point in enumerate(points))

    def ask(self) -> Trial | None:
        """Return the next point of the list."""
        return next(self.trials, None)

    def report(self, number: int, step: int, value: float) -> bool:
        """Let every trial continue."""
        return True

    def tell(self, number: int, value: float | None, state: JobState) -> None:
        """Do nothing: the points do not depend on the results."""
