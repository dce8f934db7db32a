"""Make standard streams safe: closed ones, full disks, encodings without some characters."""

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase
from typing import Any, TextIO

from dlcourse.terminal import live_line

OTHERWISE = {"±": "+-", "━": "=", "─": "-", "│": "|", "…": "...", "×": "x"}
"""Replacements for characters that dlcourse prints, for encodings without them."""
ERRORS = "dlcourse"  # the name of the error handler


class NullStream(TextIOBase):
    """A text stream that drops all text, without a file behind it."""

    def write(self, text: str) -> int:
        """Drop a text; returns its length."""
        return len(text)


class SafeStream:
    """A text stream that never raises; after the first failed write it drops all text.

    The live line at the bottom of the terminal is erased before anything is written.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream: TextIO | NullStream = stream

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
        """Flush the stream."""
        try:
            self.stream.flush()
        except (OSError, ValueError):
            self.silence()

    def silence(self) -> None:
        """Redirect the stream to /dev/null for all of this process, libraries included."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
            self.stream.flush()
        except (OSError, ValueError):  # closed, or not a file
            self.stream = NullStream()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def steady_streams() -> Iterator[None]:
    r"""Make stdin, stdout and stderr safe to use while the block runs.

    A stream that was closed before the command started is opened to /dev/null. A character that an
    encoding lacks is replaced: ± by +-, most others by an escape such as \u732b.
    """
    if isinstance(sys.stdout, SafeStream):  # nested blocks
        yield
        return
    codecs.register_error(ERRORS, replacement_for)
    sys.stdin, sys.stdout, sys.stderr = map(opened, range(3), (sys.stdin, sys.stdout, sys.stderr))
    before = sys.stdout, sys.stderr
    for stream in before:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=ERRORS)
    ours = sys.stdout, sys.stderr = SafeStream(sys.stdout), SafeStream(sys.stderr)
    try:
        yield
    finally:
        for stream in ours:
            stream.flush()
        if (sys.stdout, sys.stderr) == ours:
            sys.stdout, sys.stderr = before


def silence_failures() -> None:
    """Make stdout and stderr drop all text after a failed write, until this process ends."""
    sys.stdout, sys.stderr = SafeStream(sys.stdout), SafeStream(sys.stderr)


def opened(number: int, stream: TextIO | None) -> TextIO:
    """Return a standard stream; a closed one is opened to /dev/null.

    Its file descriptor is opened too, here and for child processes. Otherwise the next file that is
    opened would get this number, and the output of libraries would go into it.
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


def replacement_for(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return the replacement of a character that an encoding lacks, and where to continue.

    It is an error handler for ``codecs``. A byte of a file name that is not UTF-8 is written
    unchanged, as by ``ls``.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if 0xDC80 <= ord(character) <= 0xDCFF and error.encoding in ("utf-8", "ascii"):
        return bytes([ord(character) - 0xDC00]), error.start + 1
    escaped = character.encode("ascii", "backslashreplace").decode()
    return OTHERWISE.get(character, escaped), error.start + 1
