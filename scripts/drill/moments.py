"""The moments of a run, which its process writes into memory that it shares with its killer."""

import mmap
import time
from collections.abc import Callable
from enum import IntEnum
from functools import partial, wraps
from threading import Lock

from dlcourse import atomic_files
from dlcourse.engine import folds, lanes
from dlcourse.train import fit


class Moment(IntEnum):
    """What a run is doing."""

    START = 0
    STEP = 1
    VALIDATION = 2
    EPOCH_END = 3
    SAVE = 4
    TEST = 5


NAMES = {
    Moment.START: "before the first step",
    Moment.STEP: "in a step",
    Moment.VALIDATION: "in validation",
    Moment.EPOCH_END: "at an epoch's end",
    Moment.SAVE: "inside a save",
    Moment.TEST: "in the test, between folds",
}


class Moments:
    """The moment of a run, with the count and the seconds of every moment so far.

    The memory is shared with the forks that are made later; only one of them may write at a time.
    """

    def __init__(self) -> None:
        self.memory = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")
        self.counts = self.memory[2 : 2 + len(Moment)]
        self.sums = self.memory[2 + len(Moment) : 2 + 2 * len(Moment)]
        self.clear()

    def clear(self) -> None:
        """Start again, before the first step of a run."""
        for place in range(2 + 2 * len(Moment)):
            self.memory[place] = 0.0
        self.memory[1] = time.perf_counter()

    @property
    def now(self) -> Moment:
        """The moment that was entered last."""
        return Moment(int(self.memory[0]))

    def count(self, moment: Moment) -> int:
        """Return how often a moment was entered."""
        return int(self.counts[moment])

    def seconds(self, moment: Moment) -> float:
        """Return the mean time of a moment."""
        return self.sums[moment] / max(self.counts[moment], 1.0)

    def enter(self, moment: Moment, times: int = 1) -> None:
        """Leave the present moment and enter another; times: what is added to its count."""
        at = time.perf_counter()
        self.sums[self.now] += at - self.memory[1]
        self.counts[moment] += times
        self.memory[0], self.memory[1] = moment, at

    def watch(self) -> None:
        """Write the moments of the runs of this process from now on; for a fork only."""
        call_before(fit.LearningRates, "set", partial(self.enter, Moment.STEP))
        call_before(fit, "run_evaluation", partial(self.enter, Moment.VALIDATION))
        call_before(fit, "report_losses", partial(self.enter, Moment.EPOCH_END))
        for module in (folds, lanes):
            call_before(module, "evaluate_test_part", partial(self.enter, Moment.TEST))
        write, lock, before = atomic_files.write, Lock(), []

        @wraps(write)
        def watched(*given, **options):
            with lock:  # lanes that are trained together save at the same time
                before.append(self.now)
                self.enter(Moment.SAVE)
            try:
                return write(*given, **options)
            finally:
                with lock:
                    last = before.pop()
                    if not before:
                        self.enter(last, times=0)

        atomic_files.write = watched  # its own functions call it by this name


def call_before(owner: object, name: str, act: Callable[[], None]) -> None:
    """Replace a function of a module or class by one that calls ``act`` and then the function."""
    function = getattr(owner, name)

    @wraps(function)
    def called(*given, **options):
        act()
        return function(*given, **options)

    setattr(owner, name, called)
