"""A fork server of a sweep's own: its jobs are forked from a new process, which ends with it."""

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def own_fork_server() -> Iterator[None]:
    """Keep the processes that are started in the block from importing the caller's main module.

    multiprocessing imports the main module again in every process that it starts: a script without
    ``if __name__ == "__main__"`` would start its sweep over and over. A fork server that the block
    has started is stopped at its end, so that the next one gets the environment variables of its
    time. One that was running before is left alone.

    A process is never forked from the caller, whose CUDA context would not survive it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    server = None
    if "forkserver" in multiprocessing.get_all_start_methods():
        from multiprocessing.forkserver import _forkserver as server
    running = getattr(server, "_forkserver_pid", None)
    preloaded = getattr(server, "_preload_modules", None)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if server is not None and preloaded is not None:
            server.set_forkserver_preload(preloaded)
        stop = getattr(server, "_stop", None)
        if running is None and stop is not None:
            stop()
