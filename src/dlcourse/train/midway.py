"""When a checkpoint within an epoch is written: at an interval, and when the run has to stop."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from time import monotonic

from dlcourse.distributed.collectives import decided
from dlcourse.distributed.ranks import this_rank
from dlcourse.schema.duration import seconds
from dlcourse.terminal.stop_signals import interruptible, stop_requested

STEPS_TO_AGREE = 10  # steps between two questions to rank 0 whether to stop: 0.1 ms each


class Every:
    """Decides after which steps a checkpoint is written: every n steps or every n seconds.

    interval: a number of steps, or a duration with a unit such as ``"10m"``.
    """

    def __init__(self, interval: int | str) -> None:
        self.steps = interval if isinstance(interval, int) else None
        self.seconds = None if isinstance(interval, int) else seconds(interval)
        self.done, self.since = 0, monotonic()

    def due(self) -> bool:
        """Count a step; return whether a checkpoint is due after it."""
        self.done += 1
        if self.steps is not None:
            return self.done >= self.steps
        return self.seconds is not None and decided(monotonic() - self.since >= self.seconds)

    def restart(self) -> None:
        """Start the next interval, after a checkpoint was written."""
        self.done, self.since = 0, monotonic()


class RanksAgree:
    """Decides after which steps all ranks of a run stop: rank 0 decides, every few steps."""

    def __init__(self) -> None:
        self.done = 0

    def after_step(self) -> bool:
        """Count a step; return whether to stop after it."""
        self.done += 1
        return self.done % STEPS_TO_AGREE == 0 and agreed_to_stop()


def stop_after_step() -> Callable[[], bool]:
    """Return the function that is called after each step: whether a signal has asked to stop."""
    return RanksAgree().after_step if this_rank().joined else stop_requested


def agreed_to_stop() -> bool:
    """Return whether a signal has asked the run to stop; all ranks get the same answer."""
    return decided(stop_requested())


def interruptible_alone(keep: Callable[[], None]) -> AbstractContextManager[None]:
    """Let a signal stop a block after ``keep``; several ranks would not stop at the same place."""
    return nullcontext() if this_rank().joined else interruptible(keep)
