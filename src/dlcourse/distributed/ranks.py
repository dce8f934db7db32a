"""The rank of this process among those that train one model; imports no torch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Ranks:
    """The place of this process among the processes of a run.

    rank: from 0, of ``size``. local_rank: among the ``local_size`` ranks on this machine.
    joined: whether the processes are connected, which is so even with one in tests.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    joined: bool = False


ALONE = Ranks()
_current = ALONE


def this_rank() -> Ranks:
    """Return the place of this process; rank 0 of 1 in an ordinary run and within ``alone``."""
    return _current


def is_first() -> bool:
    """Return whether this process writes the run's files and prints: rank 0, or the only one."""
    return _current.rank == 0


def enter(found: Ranks) -> None:
    """Set the place of this process."""
    global _current
    _current = found


@contextmanager
def alone() -> Iterator[None]:
    """Make the block independent of the other ranks: they do not carry it out.

    An observer, for example, evaluates the model on rank 0 only.
    """
    before = _current
    enter(ALONE)
    try:
        yield
    finally:
        enter(before)


def in_environment(environment: Mapping[str, str]) -> Ranks | None:
    """Return the place that torchrun has written into the environment; None for a single process.

    torchrun sets RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE for each process that it starts.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if not all(environment.get(name, "").isdecimal() for name in names):
        return None
    rank, size, local_rank, local_size = (int(environment[name]) for name in names)
    return Ranks(rank, size, local_rank, local_size, joined=True)
