"""Worker processes that read images ahead of the training step. Imports no torch."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing.util import Finalize
from typing import Any

from dlcourse.errors import UserError
from dlcourse.terminal.command import exit_with_parent
from dlcourse.terminal.stop_signals import ignore_signals

AHEAD = 2  # tasks that are requested ahead, per worker
LONGEST_WAIT = 300  # seconds for one task; a disk on a network may not answer


def map_ahead(function: Callable, arguments: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Yield ``function(*a)`` for each of the arguments, in order, computed ahead by the workers.

    function: one that another process can import by its name.
    workers: the number of processes; 0 computes in this process.

    Raises UserError as ``result_of`` does.
    """
    if workers == 0:
        yield from (function(*some) for some in arguments)
        return
    waiting: deque[Future] = deque()
    for some in arguments:
        waiting.append(submit(workers, function, *some))
        if len(waiting) > AHEAD * workers:
            yield result_of(waiting.popleft(), workers)
    while waiting:
        yield result_of(waiting.popleft(), workers)


def submit(workers: int, function: Callable, *arguments: Any) -> Future:
    """Request ``function(*arguments)`` of a pool of workers, which is started if there is none.

    Raises UserError as ``result_of`` does.
    """
    try:
        return reading_pool(workers).submit(function, *arguments)
    except BrokenProcessPool as error:
        reading_pool.cache_clear()
        raise died(workers) from error


def result_of(future: Future, workers: int) -> Any:
    """Return the result of a request to the pool of this number of workers, or raise its error.

    Raises UserError if a worker has died, or has not answered within LONGEST_WAIT. The other
    workers are then stopped, and the next request starts new ones.
    """
    try:
        return future.result(LONGEST_WAIT)
    except BrokenProcessPool as error:
        reading_pool.cache_clear()
        raise died(workers) from error
    except TimeoutError as error:
        if future.done():  # an error of the function itself
            raise
        kill(reading_pool(workers))
        reading_pool.cache_clear()
        raise UserError(
            f"No image was read for {LONGEST_WAIT} seconds: the disk does not answer, or a worker "
            "process hangs.\nCheck the disk; resume=<folder of the run> then resumes the run"
        ) from error


def died(workers: int) -> UserError:
    """Return the error that a worker process ended before its work was done."""
    return UserError(
        f"One of the {workers} processes that read images was killed, perhaps because memory ran "
        "out.\nType a smaller data.workers; resume=<folder of the run> resumes the run"
    )


@cache
def reading_pool(workers: int) -> ProcessPoolExecutor:
    """Start the workers once, as new processes: forked copies of torch's threads can hang.

    The finalizer stops them when this process ends. It runs before multiprocessing's own
    finalizers: otherwise a job of a sweep, itself a child process, would wait for its workers
    before they are told to stop.
    """
    context = multiprocessing.get_context("spawn")
    started = ProcessPoolExecutor(workers, mp_context=context, initializer=_serve)
    before_its_queues = 100
    Finalize(
        None, started.shutdown, kwargs={"cancel_futures": True}, exitpriority=before_its_queues
    )
    return started


def kill(some: ProcessPoolExecutor) -> None:
    """End all processes of a pool, which may hang; Python has a method for it from 3.14 on."""
    for process in list((getattr(some, "_processes", None) or {}).values()):
        process.kill()


def _serve() -> None:
    """Leave signals to the parent process, and end when it ends, even if it is killed.

    Every worker has one thread, also in the libraries that its functions import.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    ignore_signals()
    exit_with_parent(0)
