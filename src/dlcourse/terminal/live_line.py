"""One line at the bottom of a terminal that says what is going on, and disappears when it is done.

Off a terminal it is one plain line on stderr, and only where the work takes its time.
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

TICK = 0.2  # seconds between two drawings: often enough to be alive, 0.01 % of a core
AFTER = 0.3  # seconds until a line is drawn at all: what is done by then needs none
PLAIN = 3.0  # seconds until a line is printed where there is no terminal
BAR = 24  # columns

Line = Callable[[int], str]
"""Columns -> what is shown."""

lock = RLock()
lines: list[Line] = []  # the last one is shown
drawn = 0  # columns of the line that stands there now, 0 for none


def on_terminal() -> bool:
    """Return whether stdout is a terminal on which a line can be written over."""
    return sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def columns() -> int:
    """Return the terminal's width at this moment; 80 where it does not say."""
    try:
        now = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError, AttributeError):
        now = 0
    return now or shutil.get_terminal_size().columns


@contextmanager
def live(line: Line, plain: str = "") -> Iterator[None]:
    """Show a line at the bottom of the terminal while the block runs; the innermost is shown.

    plain: what is printed once off a terminal, where the block takes more than ``PLAIN`` seconds.
    """
    if not on_terminal():
        timer = Timer(PLAIN, lambda: print(f"{plain} ...", file=sys.stderr, flush=True))
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
        lines.append(line)
        hide()
    thread = Thread(target=draw_again_and_again, args=(line, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()  # a thread that writes while the interpreter ends would crash it
        with lock:
            lines.remove(line)
            hide()


@contextmanager
def working(what: str, total: int = 0, *, plain: bool = True) -> Iterator[Callable[[int], None]]:
    """Show what takes its time, and for how long already, while the block runs.

    total: the number of steps, where it is known; the block is handed a function that counts them.
    plain: whether a line is printed off a terminal where it takes long.
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
    """Return a bar of which a share from 0 to 1 is done."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "━" * full + "─" * (width - full)


def fitting(parts: list[str], width: int) -> str:
    """Join as many parts as fit into a line of the terminal, the first ones first."""
    while len(parts) > 1 and cells("  ".join(parts)) >= width:
        parts = parts[:-1]
    return clipped("  ".join(parts), width - 1)


def clipped(text: str, width: int) -> str:
    """Return the beginning of a text that takes no more columns than there are."""
    while cells(text) > width:
        text = text[:-1]
    return text


def cells(text: str) -> int:
    """Return how many columns a text takes: Chinese characters take two."""
    if text.isascii():
        return len(text)
    return len(text) + sum(east_asian_width(character) in "WF" for character in text)


def duration(seconds: float) -> str:
    """Return ``40 s``, ``3 min`` or ``2 h 10 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def draw_again_and_again(line: Line, done: Event) -> None:
    """Draw a line while it is the innermost one, until it is done."""
    if done.wait(AFTER):
        return
    while True:
        with lock:
            if lines and lines[-1] is line and not done.is_set():
                draw(line(columns()))
        if done.wait(TICK):
            return


def draw(text: str) -> None:
    """Write a line over the one that stands there; blanks take away what is left of it."""
    global drawn
    width = cells(text)
    put(f"\r{text}{' ' * (drawn - width)}{chr(8) * (drawn - width)}")
    drawn = width


def hide() -> None:
    """Take the line away, so that something else can be written where it stood."""
    global drawn
    if drawn:
        width, drawn = drawn, 0
        put(f"\r{' ' * width}\r")


def put(text: str) -> None:
    """Write to the terminal itself."""
    stream: TextIO = getattr(sys.stdout, "stream", sys.stdout)
    with suppress(OSError, ValueError):  # it has gone; the next line that stays finds out
        stream.write(text)
        stream.flush()
