"""The interval of checkpoints within an epoch."""

from time import monotonic

from dlcourse.distributed.collectives import decided
from dlcourse.schema.duration import seconds


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
