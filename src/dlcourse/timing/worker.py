"""Time calls of an object in a separate process.

Threads, the allocator and the settings of the backends belong to a whole process, so every program
of a comparison gets its own process. The process also reports its peak memory.
"""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from time import perf_counter
from typing import Any

from dlcourse.errors import UserError


class Worker:
    """Calls ``maker(*arguments)`` in a new process, and times methods of the object it returns.

    daemon: whether the process is ended with this one; it can then start no processes itself.
    """

    def __init__(self, maker: Callable, *arguments: Any, daemon: bool = True) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, maker, arguments), daemon=daemon)
        self.process.start()
        other.close()

    def wait(self) -> Any:
        """Wait for the process to reply and return its reply; raises the error raised there."""
        try:
            kind, reply = self.connection.recv()
        except EOFError:
            self.process.join()
            raise UserError(
                f"A process that is timed ended by itself (exit status {self.process.exitcode}).\n"
                "If memory ran out, type a smaller batch_size or model"
            ) from None
        if kind == "error":
            raise reply
        return reply

    def call(self, method: str, *arguments: Any) -> tuple[float, Any]:
        """Call a method in the process; return its seconds and its return value."""
        self.connection.send((method, arguments))
        return self.wait()

    def peak(self) -> int:
        """Return the peak memory of the process in bytes: that of the GPU if it uses one."""
        self.connection.send(("", ()))
        return self.wait()

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()


def serve(connection: Any, maker: Callable, arguments: tuple) -> None:
    """Make the object, then call its methods on request until the connection is closed."""
    try:
        made = maker(*arguments)
        connection.send(("made", getattr(made, "parameters", None)))
        while True:
            method, given = connection.recv()
            if method:
                connection.send(("timed", timed(made, method, given)))
            else:
                connection.send(("peak", peak_of_this_process()))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
    except Exception as error:
        connection.send(("error", sendable(error)))


def timed(made: Any, method: str, arguments: tuple) -> tuple[float, Any]:
    """Return the seconds of a call, until the device has finished, and its return value."""
    wait_for_device()
    started = perf_counter()
    returned = getattr(made, method)(*arguments)
    wait_for_device()
    return perf_counter() - started, returned


def wait_for_device() -> None:
    """Wait until the GPU, if one is in use, has finished all its work."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def peak_of_this_process() -> int:
    """Return the peak memory of this process in bytes: of the GPU, or VmHWM on Linux."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return torch.cuda.max_memory_reserved()
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            (line,) = (line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def sendable(error: Exception) -> Exception:
    """Return an exception that can be pickled.

    Only UserError and MissingError stay; others become a RuntimeError with their traceback.
    """
    if type(error).__name__ in ("UserError", "MissingError"):
        return type(error)(str(error))
    return RuntimeError("".join(traceback.format_exception(error)))


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
