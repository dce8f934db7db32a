"""The options of ``benchmarks/benchmark.py``."""

import time
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Options:
    """The options of a benchmark.

    models: names of ``workloads.WORKLOADS``; empty for each case's own.
    root, cifar: the folders of MNIST and of CIFAR-10's images; empty for random images.
    threads: CPU threads; 0 for PyTorch's default.
    steps: of every epoch; 0 for the number in each model's workload.
    without: implementations to leave out.
    until: the end of the time limit, by ``time.perf_counter``; nothing is started after it.
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
        """Return whether the time limit has been reached."""
        return time.perf_counter() > self.until

    def share(self, cases: int) -> "Options":
        """Return the options of one case, whose time limit is its share of the time left.

        cases: the number of remaining cases, this one included.
        """
        now = time.perf_counter()
        return replace(self, until=now + (self.until - now) / cases)

    def chosen(self, *own: str) -> tuple[str, ...]:
        """Return the models that were typed, or else the case's own."""
        return self.models or own
