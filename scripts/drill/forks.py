"""Run tasks in forks of one warm process, which has imported PyTorch and has no other thread."""

import gc
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

LIMIT = 120.0  # seconds until a process that should have ended is killed, and counts as failed
HUNG = 124  # the status that is then returned


def fork(task: Callable[[], object], output: Path) -> int:
    """Run a task in a new process and return its id; what it prints goes to the file ``output``.

    The exit status is that of SystemExit, else 0; 1 for any other error, after its traceback.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
        status = status_of(task)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def status_of(task: Callable[[], object]) -> int:
    """Run a task; return the exit status that a Python process would have after it."""
    try:
        task()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def wait_for(process: int, limit: float = LIMIT) -> int:
    """Wait for a process; return its exit status, or minus the number of the signal that ended it.

    A process that is still running after ``limit`` seconds is killed; the status is then HUNG.
    """
    until = time.monotonic() + limit
    while (status := status_now(process)) is None:
        if time.monotonic() > until:
            os.kill(process, 9)
            os.waitpid(process, 0)
            return HUNG
        time.sleep(0.0005)
    return status


def status_now(process: int) -> int | None:
    """Return the status of a process as ``wait_for`` does; None while it is running."""
    ended, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def run_fork(task: Callable[[], object], output: Path) -> int:
    """Run a task in a new process to its end; return the status of ``wait_for``."""
    return wait_for(fork(task, output))


def share_memory_with_forks() -> None:
    """Exclude all objects from garbage collection, which would copy their memory in every fork."""
    gc.collect()
    gc.freeze()
