"""A process for each contender, so that what one sets for its whole process is no other's.

Threads, the allocator and the backends' switches are such settings. The process also tells how
much memory it took at most.
"""

import multiprocessing
import resource
import sys
import traceback
from collections.abc import Callable
from time import perf_counter
from typing import Any

from dlcourse.errors import UserError


class Seat:
    """Makes ``maker(*given)`` in a process of its own and asks it for its methods."""

    def __init__(self, maker: Callable, *given: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.line, other = context.Pipe()
        self.process = context.Process(target=sit, args=(other, maker, given), daemon=True)
        self.process.start()
        other.close()

    def answer(self) -> Any:
        """Wait for the other side; raises what went wrong there."""
        try:
            kind, told = self.line.recv()
        except EOFError:
            self.process.join()
            raise UserError(
                f"A contender's process ended by itself (exit status {self.process.exitcode}).\n"
                "Perhaps there was not enough memory: type fewer models= or steps="
            ) from None
        if kind == "error":
            raise told
        return told

    def ask(self, method: str, *given: Any) -> tuple[float, Any]:
        """Call a method over there; return the seconds it took and what it returned."""
        self.line.send((method, given))
        return self.answer()

    def peak(self) -> int:
        """Return the bytes that the process held at most until now, on a GPU if it uses one."""
        self.line.send(("", ()))
        return self.answer()

    def close(self) -> None:
        """End the process."""
        self.line.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()


def sit(line: Any, maker: Callable, given: tuple) -> None:
    """Be the process: make the contender, then do as asked until the line is closed."""
    try:
        contender = maker(*given)
        line.send(("made", getattr(contender, "parameters", None)))
        while True:
            method, arguments = line.recv()
            if method:
                line.send(("timed", timed(contender, method, arguments)))
            else:
                line.send(("peak", peak_of_this_process()))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
    except Exception as error:
        line.send(("error", sendable(error)))


def timed(contender: Any, method: str, given: tuple) -> tuple[float, Any]:
    """Return the seconds of a call, the device's work included, and what it returned."""
    wait_for_device()
    started = perf_counter()
    returned = getattr(contender, method)(*given)
    wait_for_device()
    return perf_counter() - started, returned


def wait_for_device() -> None:
    """Wait until a GPU, if one is in use, has done all it was given."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def peak_of_this_process() -> int:
    """Return the bytes that this process held at most: on a GPU, or VmHWM where Linux tells it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return torch.cuda.max_memory_reserved()
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            (line,) = (line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def sendable(error: Exception) -> Exception:
    """Return an exception as another process can take it: its class if ours, else its story."""
    if type(error).__name__ in ("UserError", "MissingError"):
        return type(error)(str(error))
    return RuntimeError("".join(traceback.format_exception(error)))
