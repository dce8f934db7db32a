"""Worker processes that read images ahead of the training step. Imports no torch."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from multiprocessing.util import Finalize
from typing import Any

from dlcourse.terminal.command import exit_with_parent

AHEAD = 2  # batches that are requested ahead, per worker


def map_ahead(function: Callable, arguments: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Yield ``function(*a)`` for each of the arguments, in order, computed ahead by the workers.

    function: one that another process can import by its name.
    workers: the number of processes; 0 computes in this process.
    """
    if workers == 0:
        yield from (function(*some) for some in arguments)
        return
    waiting: deque[Future] = deque()
    for some in arguments:
        waiting.append(_pool(workers).submit(function, *some))
        if len(waiting) > AHEAD * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@cache
def _pool(workers: int) -> ProcessPoolExecutor:
    """Start the workers once, as new processes: forked copies of torch's threads can hang.

    The finalizer stops them when this process ends. It runs before multiprocessing's own
    finalizers: otherwise a job of a sweep, itself a child process, would wait for its workers
    before they are told to stop.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_serve)
    before_its_queues = 100
    Finalize(None, pool.shutdown, kwargs={"cancel_futures": True}, exitpriority=before_its_queues)
    return pool


def _serve() -> None:
    """Ignore Ctrl-C, and end when the parent process ends, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent(0)
