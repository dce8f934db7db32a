"""Show progress in one line at the bottom of a terminal, and remove it at the end.

If stdout is not a terminal, one plain line is printed to stderr, and only if the work is slow.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, RLock, Thread, Timer
from time import monotonic
from typing import TextIO
from unicodedata import east_asian_width

TICK = 0.2  # seconds between two drawings; takes 0.01 % of a core
AFTER = 0.3  # seconds until a line is drawn first; shorter work has no line
SECONDS_BEFORE_LINE = 3.0  # seconds until a line is printed if stdout is not a terminal
BAR = 24  # columns

Line = Callable[[int], str]
"""Takes the number of columns, returns the text."""

lock = RLock()
visible_lines: list[Line] = []  # of nested blocks; the last one is shown
drawn = 0  # columns of the line on the screen; 0 for none


def on_terminal() -> bool:
    """Return whether stdout is a terminal in which a line can be overwritten."""
    return sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def columns() -> int:
    """Return the current width of the terminal in columns; 80 if it is unknown."""
    try:
        now = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError, AttributeError):
        now = 0
    return now or shutil.get_terminal_size().columns


@contextmanager
def live(line: Line, plain: str = "") -> Iterator[None]:
    """Show a line at the bottom of the terminal while the block runs; the innermost is shown.

    plain: text that is printed once if stdout is not a terminal and the block takes more than
        ``SECONDS_BEFORE_LINE`` seconds.
    """
    if not on_terminal():
        timer = Timer(
            SECONDS_BEFORE_LINE, lambda: print(f"{plain} ...", file=sys.stderr, flush=True)
        )
        timer.daemon = True
        if plain:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()
        return
    done = Event()
    with lock:
        visible_lines.append(line)
        hide()
    thread = Thread(target=redraw_until, args=(line, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()  # a thread that writes while the interpreter ends would crash it
        with lock:
            visible_lines.remove(line)
            hide()


@contextmanager
def working(what: str, total: int = 0, *, plain: bool = True) -> Iterator[Callable[[int], None]]:
    """Show a description and the elapsed time while the block runs.

    Yields a function that the block calls with a number of finished steps.
    total: the number of steps; 0 if it is unknown.
    plain: whether a line is printed if stdout is not a terminal and the block is slow.
    """
    started, done = monotonic(), 0

    def advance(steps: int = 1) -> None:
        nonlocal done
        done += steps

    def line(width: int) -> str:
        seconds = f"{monotonic() - started:.0f} s"
        if not total:
            return fitting([what, seconds], width)
        counted = f"{done:,} of {total:,}"
        return fitting([what, counted, bar(done / total), seconds], width)

    with live(line, what if plain else ""):
        yield advance


def bar(share: float, width: int = BAR) -> str:
    """Return a progress bar; share: the finished part, 0 to 1; width: in columns."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "━" * full + "─" * (width - full)


def fitting(parts: list[str], width: int) -> str:
    """Join the parts that fit into a line of ``width`` columns, the first ones first."""
    while len(parts) > 1 and cells("  ".join(parts)) >= width:
        parts = parts[:-1]
    return clipped("  ".join(parts), width - 1)


def clipped(text: str, width: int) -> str:
    """Return the beginning of a text, at most ``width`` columns of it."""
    while cells(text) > width:
        text = text[:-1]
    return text


def cells(text: str) -> int:
    """Return the number of columns of a text; a Chinese character takes two."""
    if text.isascii():
        return len(text)
    return len(text) + sum(east_asian_width(character) in "WF" for character in text)


def duration(seconds: float) -> str:
    """Format seconds as ``40 s``, ``3 min`` or ``2 h 10 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def redraw_until(line: Line, done: Event) -> None:
    """Draw a line every ``TICK`` seconds while it is the innermost one, until ``done`` is set."""
    if done.wait(AFTER):
        return
    while True:
        with lock:
            if visible_lines and visible_lines[-1] is line and not done.is_set():
                overwrite_line(line(columns()))
        if done.wait(TICK):
            return


def overwrite_line(text: str) -> None:
    """Overwrite the line on the screen; spaces erase the rest of a longer one."""
    global drawn
    width = cells(text)
    put(f"\r{text}{' ' * (drawn - width)}{chr(8) * (drawn - width)}")
    drawn = width


def hide() -> None:
    """Erase the line, so that other text can be written in its place."""
    global drawn
    if drawn:
        width, drawn = drawn, 0
        put(f"\r{' ' * width}\r")


def put(text: str) -> None:
    """Write to the terminal and not through ``SafeStream``, which would erase the line."""
    stream: TextIO = getattr(sys.stdout, "stream", sys.stdout)
    with suppress(
        OSError, ValueError
    ):  # the terminal is closed; the next ordinary output handles it
        stream.write(text)
        stream.flush()
