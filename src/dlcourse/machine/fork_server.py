"""The process from which a sweep's jobs are forked: a fresh one, which ends with the sweep."""

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def own_fork_server() -> Iterator[None]:
    """Let no process that is started in the block import the caller's main module.

    multiprocessing imports the main module again in every process it starts: a script without
    ``if __name__ == "__main__"`` would start its sweep over and over, and nothing of it is needed
    there. A fork server that the block has started is stopped at its end, so that the next one has
    the environment of its time; one that was running before is left alone.

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
