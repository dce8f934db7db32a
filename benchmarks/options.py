"""What the words of ``benchmarks/benchmark.py`` mean."""

import time
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Options:
    """The options of a benchmark.

    models: names of ``workloads.WORKLOADS``; none: each case takes its own.
    root, cifar: where MNIST and a folder of CIFAR-10's images lie; empty: images are made up.
    steps: of every epoch; 0: as each model's workload says.
    until: on ``time.perf_counter``; nothing new is begun after it.
    """

    models: tuple[str, ...] = ()
    rounds: int = 5
    repeats: int = 1
    root: str = ""
    cifar: str = ""
    device: str = "auto"
    threads: int = 0
    steps: int = 0
    without: tuple[str, ...] = ()
    until: float = float("inf")

    def late(self) -> bool:
        """Return whether the time that was given is over."""
        return time.perf_counter() > self.until

    def share(self, cases: int) -> "Options":
        """Return the options of the first of several cases that share the time that is left."""
        now = time.perf_counter()
        return replace(self, until=now + (self.until - now) / cases)

    def chosen(self, *own: str) -> tuple[str, ...]:
        """Return the models that were typed, or a case's own."""
        return self.models or own
