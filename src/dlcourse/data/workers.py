"""Worker processes that read images ahead of the training step; imports no torch."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from multiprocessing.util import Finalize
from typing import Any

AHEAD = 2  # batches that each worker may be ahead


def map_ahead(function: Callable, arguments: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Yield ``function(*a)`` for each of the arguments, in order, read ahead by the workers.

    function: one that a process can import by its name. workers: 0 reads in this process.
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
    """Start the workers, once; they are fresh processes, for a copy of torch's threads may hang.

    They end with this process: where it is itself one of several, a job of a sweep, it would wait
    for them before they are told.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_serve)
    before_its_queues = 100
    Finalize(None, pool.shutdown, kwargs={"cancel_futures": True}, exitpriority=before_its_queues)
    return pool


def _serve() -> None:
    """Leave Ctrl-C to the parent, and end with it even where it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
