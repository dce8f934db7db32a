"""Points: what was varied, each with the repeats that differ in nothing but seed or fold."""

from dataclasses import dataclass
from typing import Any

from dlcourse.report.run import DONE, Run
from dlcourse.report.statistics import Spread, spread
from dlcourse.schema.facts import range_of


@dataclass(frozen=True)
class Repeat:
    """One model that was trained and tested: a run, or a fold of a cross-validation.

    outer: the outer fold of a nested cross-validation. val: the monitored figure.
    test: the same figure on the test part, if there is one.
    """

    seed: Any
    fold: str
    outer: int | None
    val: float
    test: float | None
    epochs: int
    train_size: int
    val_size: int

    @property
    def pair(self) -> tuple:
        """What it has in common with the repeat of another point to be compared with."""
        return self.seed, self.outer, self.fold


@dataclass(frozen=True)
class Point:
    """Runs that differ in nothing but seed or outer fold."""

    values: dict[str, Any]
    runs: tuple[Run, ...]
    repeats: tuple[Repeat, ...]

    @property
    def monitor(self) -> str:
        """The figure that decides, ``val/accuracy``."""
        return str(self.values.get("monitor", ""))

    @property
    def mode(self) -> str:
        """Whether ``max`` or ``min`` is best."""
        return str(self.values.get("mode", "max"))

    @property
    def done(self) -> int:
        """How many of its runs are finished."""
        return sum(run.status == DONE for run in self.runs)

    @property
    def complete(self) -> bool:
        """Whether all of its runs are finished."""
        return self.done == len(self.runs)

    @property
    def val(self) -> Spread:
        """The monitored figure over the repeats."""
        values = [repeat.val for repeat in self.repeats]
        return spread(values, overlap(self.repeats), range_of(self.monitor))

    @property
    def test(self) -> Spread | None:
        """The test figure over the repeats, or None where the monitor has none."""
        figures = [repeat.test for repeat in self.repeats if repeat.test is not None]
        complete = figures and len(figures) == len(self.repeats)
        return spread(figures, limits=range_of(self.monitor)) if complete else None


def overlap(repeats: tuple[Repeat, ...] | list[Repeat]) -> float:
    """Return n_val / n_train of folds, whose training parts overlap, and 0 for anything else."""
    if all(repeat.fold == "." and repeat.outer is None for repeat in repeats):
        return 0.0
    train = sum(repeat.train_size for repeat in repeats)
    return sum(repeat.val_size for repeat in repeats) / train if train else 0.0
