"""Standard streams that never end a command: closed, full, or of an encoding that lacks letters."""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase
from typing import Any, TextIO

from dlcourse.terminal import live_line

OTHERWISE = {"±": "+-", "━": "=", "─": "-", "│": "|", "…": "...", "×": "x"}
"""How the characters that dlcourse prints are written where an encoding lacks them."""
ERRORS = "dlcourse"  # the name of the error handler


class Nowhere(TextIOBase):
    """A text stream that leads nowhere and has nothing to close."""

    def write(self, text: str) -> int:
        """Drop a text; returns its length."""
        return len(text)


class Steady:
    """A text stream that falls silent where it cannot be written to any more, and never raises.

    The live line at the bottom of the terminal is taken away before anything is written.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream: TextIO | Nowhere = stream

    def write(self, text: str) -> int:
        """Write a text; returns its length."""
        with live_line.lock:
            live_line.hide()
            try:
                self.stream.write(text)
            except (OSError, ValueError):
                self.silence()
        return len(text)

    def flush(self) -> None:
        """Hand on what has been written."""
        try:
            self.stream.flush()
        except (OSError, ValueError):
            self.silence()

    def silence(self) -> None:
        """Let the stream lead nowhere, for whoever else in this process writes to it as well."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
            self.stream.flush()
        except (OSError, ValueError):  # closed, or not a file
            self.stream = Nowhere()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def steady_streams() -> Iterator[None]:
    r"""Make stdin, stdout and stderr safe to use while the block runs.

    A stream that was closed before the command started leads nowhere. A character that an encoding
    lacks is written another way: ± as +-, most others as an escape such as \u732b.
    """
    if isinstance(sys.stdout, Steady):  # a block within such a block
        yield
        return
    codecs.register_error(ERRORS, written_otherwise)
    sys.stdin, sys.stdout, sys.stderr = map(opened, range(3), (sys.stdin, sys.stdout, sys.stderr))
    before = sys.stdout, sys.stderr
    for stream in before:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=ERRORS)
    ours = sys.stdout, sys.stderr = Steady(sys.stdout), Steady(sys.stderr)
    try:
        yield
    finally:
        for stream in ours:
            stream.flush()
        if (sys.stdout, sys.stderr) == ours:
            sys.stdout, sys.stderr = before


def opened(number: int, stream: TextIO | None) -> TextIO:
    """Return a standard stream; one that is closed is opened to lead nowhere.

    Its number is taken too, here and for processes that are started later: otherwise what libraries
    print would go into a file that happens to get this number.
    """
    with suppress(OSError, ValueError, AttributeError):
        if stream is not None and not stream.closed:
            return stream
    try:
        os.fstat(number)
    except OSError:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere == number:
            os.set_inheritable(number, True)
        else:
            os.dup2(nowhere, number)
            os.close(nowhere)
    return open(number, "w" if number else "r", encoding="utf-8", closefd=False)


def written_otherwise(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return how a character that an encoding lacks is written, and where the text goes on.

    A byte of a file name that is not UTF-8 is written as it is, as ``ls`` does.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if 0xDC80 <= ord(character) <= 0xDCFF and error.encoding in ("utf-8", "ascii"):
        return bytes([ord(character) - 0xDC00]), error.start + 1
    escaped = character.encode("ascii", "backslashreplace").decode()
    return OTHERWISE.get(character, escaped), error.start + 1
