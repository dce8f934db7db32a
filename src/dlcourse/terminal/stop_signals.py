"""Stop on a signal: Ctrl-C, SIGTERM, SIGHUP, SIGUSR1. Imports only what Python starts with.

The first signal stops the run where it is safe, and the second ends the process at once. Without
``stopped_by_signals``, as in a notebook, signals do what they did before.
"""

import atexit
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import Any, NoReturn

STOPPING = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
    if hasattr(signal, name)
)
"""The signals that stop a run; SIGHUP: the terminal is closed; SIGUSR1: a cluster's warning."""
SAME = 0.02  # seconds in which a second signal is the first again: ``timeout`` sends it twice
SLOW = 1.0  # seconds after which a stop that waits is explained

requested = 0  # the number of the first signal; 0 for none
_since = 0.0  # when it came
_waiting = 0  # the number of blocks of ``postponed`` that are running
_commands: list[Callable[[], str]] = []  # how to resume what is running


def leave_at_once(number: int, frame: FrameType | None = None) -> NoReturn:
    """End this process and its child processes without a traceback: a handler of signals.

    The line of ``resumable_by`` is printed first, unless stderr cannot be written to.
    """
    with suppress(Exception):
        if _commands:
            _write(f"{_stopped(_commands[-1])}\n")
    with suppress(Exception):  # a child process that is stopped or hangs would stay
        for child in getattr(sys.modules.get("multiprocessing"), "active_children", list)():
            child.kill()
    os._exit(128 + number)


def stop_where_safe(number: int, frame: FrameType | None = None) -> None:
    """Stop the run: a handler of signals; a second signal ends the process at once."""
    if requested:
        if monotonic() - _since > SAME:
            leave_at_once(number)
        return
    _request(number)
    if not _waiting:
        leave_if_requested()
    explain = threading.Timer(SLOW, _explain)
    explain.daemon = True
    explain.start()


def stop_once(number: int, frame: FrameType | None = None) -> None:
    """Stop the run: a handler of signals in a child process, whose parent ends it if it hangs."""
    if not requested:
        _request(number)
        if not _waiting:
            leave_if_requested()


def _request(number: int) -> None:
    global requested, _since
    requested, _since = number, monotonic()


def _explain() -> None:
    """Say why the run has not stopped yet."""
    if _waiting:
        _write("\nStopping after this step; the same signal once more stops at once\n")


def _write(text: str) -> None:
    """Write to stderr; not if that would wait, as for a terminal whose output is held."""
    with suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, text.encode(errors="replace"))


def end_on_signals() -> None:
    """Let signals end this process at once and silently, while Python imports what it needs.

    While Python takes itself down it would give every signal its default meaning, which would
    change the exit status: there they are ignored.
    """
    _handle(leave_at_once)
    atexit.register(ignore_signals)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let signals stop the block: KeyboardInterrupt for Ctrl-C, SystemExit(128 + number) else.

    Afterwards they do what they did before. Signals that are ignored stay so, as with ``nohup``.
    Nothing is changed outside the main thread, where Python takes no signals.

    torchrun sends its processes a signal that they may have had from the terminal, and kills those
    that do not end: there, only the first counts.
    """
    global requested
    handler = stop_once if "TORCHELASTIC_RUN_ID" in os.environ else stop_where_safe
    before = {number: signal.getsignal(number) for number in STOPPING}
    nested = any(one is handler for one in before.values())
    changed = [] if nested else _handle(handler)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])
        if changed:
            requested = 0


def stopped_by_parent() -> None:
    """Let SIGTERM stop this child process, and ignore what a terminal sends to it as well.

    Its parent gets the other signals too, and passes them on as SIGTERM.
    """
    ignore_signals()
    signal.signal(signal.SIGTERM, stop_once)


def ignore_signals() -> None:
    """Leave signals to the parent process, with which this one ends."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _handle(handler: Callable[[int, FrameType | None], Any]) -> list[signal.Signals]:
    """Set a handler for the signals that are not ignored; return these."""
    if threading.current_thread() is not threading.main_thread():
        return []
    handled = [one for one in STOPPING if signal.getsignal(one) not in (signal.SIG_IGN, None)]
    for number in handled:
        signal.signal(number, handler)
    return handled


def stop_requested() -> bool:
    """Return whether a signal has asked this process to stop."""
    return requested != 0


def leave_if_requested() -> None:
    """Raise what stops the run if a signal has asked for it."""
    if requested:
        leave()


def leave() -> NoReturn:
    """Raise KeyboardInterrupt after Ctrl-C, else SystemExit(128 + number of the signal)."""
    if requested == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + (requested or signal.SIGTERM))


@contextmanager
def postponed() -> Iterator[None]:
    """Let signals in the block wait until ``leave_if_requested`` is called, in it or after it."""
    global _waiting
    _waiting += 1
    try:
        yield
    finally:
        _waiting -= 1


@contextmanager
def interruptible(keep: Callable[[], None]) -> Iterator[None]:
    """Let a signal stop a block within ``postponed``, after ``keep`` was called."""
    global _waiting
    outside = _waiting
    try:
        _waiting = 0
        leave_if_requested()
        yield
    except (KeyboardInterrupt, SystemExit):
        _waiting = outside
        keep()
        raise
    finally:
        _waiting = outside


def _stopped(command: Callable[[], str]) -> str:
    """Return what is printed for a run that was stopped."""
    typed = command()
    again = f"To resume: {typed}" if typed else "It had not started yet: type the command again"
    return f"\nStopped. {again}"


@contextmanager
def resumable_by(command: Callable[[], str]) -> Iterator[None]:
    """Print on stderr how to resume the block if it is stopped.

    command: returns what to type; an empty text as long as there is nothing to resume.
    """
    _commands.append(command)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        print(_stopped(command), file=sys.stderr)
        raise
    finally:
        _commands.remove(command)
