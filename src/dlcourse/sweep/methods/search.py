"""Where a sweep's points come from: a list that is known beforehand, or what was learnt so far."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from dlcourse.sweep.conditional_keys import Overrides


class Trial(NamedTuple):
    """A point under its number."""

    number: int
    point: Overrides


class Search(Protocol):
    """Hands out points and is told what became of them; larger figures need not be better."""

    prunes: bool
    """Whether ``report`` may say no."""

    def ask(self) -> Trial | None:
        """Return the next point, or None where there is no more."""

    def report(self, number: int, step: int, figure: float) -> bool:
        """Take in a point's figure after a step; return whether it should go on."""

    def tell(self, number: int, figure: float | None, state: str) -> None:
        """Take in how a point has ended: state is done, pruned or failed."""


class ListedPoints:
    """Points that are known beforehand, each handed out once."""

    prunes = False

    def __init__(self, points: Sequence[Overrides]) -> None:
        self.rest: Iterator[Trial] = (Trial(number, point) for number, point in enumerate(points))

    def ask(self) -> Trial | None:
        return next(self.rest, None)

    def report(self, number: int, step: int, figure: float) -> bool:
        return True

    def tell(self, number: int, figure: float | None, state: str) -> None:
        """Nothing is learnt from it."""
