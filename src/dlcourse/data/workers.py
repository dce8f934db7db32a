"""Worker processes that read images ahead of the training step. Imports no torch."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import cache
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from time import monotonic, sleep
from typing import Any, NamedTuple

from dlcourse.data.being_read import being_read, names_of, write_names_into
from dlcourse.data.shared_file import SharedFile, shared_file
from dlcourse.errors import FileError
from dlcourse.terminal.command import exit_with_parent
from dlcourse.terminal.stop_signals import ignore_signals

AHEAD = 2  # tasks that are requested ahead, per worker
LONGEST_WAIT = 300  # seconds for one task; a disk on a network may not answer
NAMED_IMAGES = 3  # images that a message names
ADVICE = (
    "{}; resume=<folder of the run> resumes the run. With data.workers=0 a new run reads its "
    "images without such processes"
)


def map_ahead(function: Callable, arguments: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Yield ``function(*a)`` for each of the arguments, in order, computed ahead by the workers.

    function: one that another process can import by its name.
    workers: the number of processes; 0 computes in this process.

    Raises FileError as ``result_of`` does.
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

    Raises FileError as ``result_of`` does.
    """
    try:
        return reading_pool(workers).executor.submit(function, *arguments)
    except BrokenProcessPool as error:
        raise died(workers) from error


def result_of(future: Future, workers: int) -> Any:
    """Return the result of a request to the pool of this number of workers, or raise its error.

    Raises FileError if a worker has died, or has not answered within LONGEST_WAIT. The other
    workers are then stopped, and the next request starts new ones.
    """
    try:
        return future.result(LONGEST_WAIT)
    except BrokenProcessPool as error:
        raise died(workers) from error
    except TimeoutError as error:
        if future.done():  # an error of the function itself
            raise
        raise hangs(workers) from error


def died(workers: int) -> FileError:
    """Return the error that a worker process ended before its work was done; end the others."""
    pool = reading_pool(workers)
    reading_pool.cache_clear()
    ended = first_ended(pool)
    pool.kill()
    names = being_read(pool.names, workers, [one.pid or 0 for one in ended])
    how = exit_of(ended[0]) if ended else "ended"
    doing = f" while it read {names[0]}" if names else ""
    return FileError(
        f"One of the {workers} processes that read images was {how}{doing}, perhaps because memory "
        f"ran out.\n{ADVICE.format('Free some memory')}"
    )


def hangs(workers: int) -> FileError:
    """Return the error that a worker process does not answer, after all have been killed."""
    pool = reading_pool(workers)
    reading_pool.cache_clear()
    names = being_read(pool.names, workers, list(pool.started))
    pool.kill()
    doing = f" in {', '.join(names[:NAMED_IMAGES])}" if names else ""
    return FileError(
        f"No image was read for {LONGEST_WAIT} seconds{doing}: the disk does not answer, or a "
        f"worker process hangs.\n{ADVICE.format('Check the disk and the image')}"
    )


def exit_of(process: BaseProcess) -> str:
    """Return how a process has ended, ``ended by SIGKILL``."""
    status = process.exitcode or 0
    known = -status in set(signal.Signals)
    return f"ended by {signal.Signals(-status).name}" if known else f"ended with status {status}"


def first_ended(pool: "ReadingPool") -> list[BaseProcess]:
    """Return the processes of a pool that have ended, the others being alive.

    Another thread may have asked for their exit statuses and have them in a moment.
    """
    until = monotonic() + 1.0
    while not (ended := [one for one in pool.processes() if one.exitcode is not None]):
        if monotonic() > until:
            break
        sleep(0.01)
    return ended


class ReadingPool(NamedTuple):
    """The workers of a pool. started: by their process ids. names: what each is reading."""

    executor: ProcessPoolExecutor
    started: dict[int, BaseProcess]
    names: SharedFile

    def processes(self) -> list[BaseProcess]:
        """Return the processes, those that have ended as well."""
        return list(self.started.values())

    def kill(self) -> None:
        """End all processes; they may hang, and they leave other signals to this process."""
        for process in self.processes():
            process.kill()


@cache
def reading_pool(workers: int) -> ReadingPool:
    """Start the workers once, as new processes: forked copies of torch's threads can hang.

    The finalizer stops them when this process ends. It runs before multiprocessing's own
    finalizers: otherwise a job of a sweep, itself a child process, would wait for its workers
    before they are told to stop.
    """
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        names = stack.enter_context(shared_file(names_of(workers)))
        started = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_serve, initargs=(names, workers)
        )
        closing = stack.pop_all()
    before_its_queues = 100
    Finalize(
        None, started.shutdown, kwargs={"cancel_futures": True}, exitpriority=before_its_queues
    )
    Finalize(started, closing.close)
    # the executor forgets its processes when one has died; it starts them with the first request
    return ReadingPool(started, getattr(started, "_processes", {}), names)


def _serve(names: SharedFile, workers: int) -> None:
    """Leave signals to the parent process, and end when it ends, even if it is killed.

    Every worker has one thread, also in the libraries that its functions import.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    ignore_signals()
    exit_with_parent(0)
    (number,) = multiprocessing.current_process()._identity[-1:]
    write_names_into(names, workers, number)
