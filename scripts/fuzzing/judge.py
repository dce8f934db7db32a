"""Give one input to one reader, and decide whether what happens is allowed.

A value and an error with a message of dlcourse's own are allowed. Another exception, 5 seconds,
1 GB of memory, a file written elsewhere, a program started and an address opened are not.
"""

import os
import re
import resource
import signal
import sys
import traceback
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.errors import Message
from dlcourse.terminal.command import message_text

SECONDS = 5.0  # of the CPU
MEMORY = 2**30  # bytes above those at the start
LONGEST = 4000  # characters of a message
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen",
             "socket.connect", "os.symlink", "os.link")  # fmt: skip
"""Events of Python's audit hooks that no reader may raise."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class HangError(BaseException):
    """The reader takes too long. Not an Exception, so that readers do not catch it."""


class EscapeError(BaseException):
    """The reader does what no reader may: it runs a program or writes elsewhere."""


@dataclass(frozen=True)
class Outcome:
    """What a reader did with an input.

    kind: ``accepted``, ``refused`` or ``crash``. reason: of a crash, for people.
    place: of a crash, equal for two inputs that find the same fault.
    """

    kind: str
    reason: str = ""
    place: str = ""


@dataclass
class Judge:
    """Judges inputs of one reader.

    read: raises an error, or returns anything. allowed: further errors, which its callers catch.
    folder: the only one that may be written to.
    """

    read: Callable[[bytes], object]
    folder: Path
    allowed: tuple[type[BaseException], ...] = ()
    watched: bool = False
    memory: int = field(default_factory=lambda: peak_memory())

    def __call__(self, content: bytes) -> Outcome:
        """Return the outcome of one input."""
        with alarm(), watching(self):
            try:
                self.read(content)
                outcome = Outcome("accepted")
            except Message as error:
                problem = fault_of(message_text(error))
                outcome = Outcome("crash", problem, problem) if problem else Outcome("refused")
            except self.allowed:
                outcome = Outcome("refused")
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                outcome = crash_of(error)
        used = peak_memory() - self.memory
        if used > MEMORY and outcome.kind != "crash":
            return Outcome("crash", f"{used / 2**30:.1f} GiB of memory", "memory")
        return outcome


def fault_of(message: str) -> str:
    """Return what is wrong with a message as it is printed; an empty text if nothing is."""
    if not message.strip():
        return "an empty message"
    if len(message) > LONGEST:
        return f"a message of {len(message):,} characters: {message[:80]!r}"
    if "Traceback" in message or re.search(r"\n\s*\n", message):
        return f"a message with a traceback or an empty line: {message[:200]!r}"
    odd = [char for char in message if char != "\n" and unicodedata.category(char) in ("Cc", "Cs")]
    if odd:
        return f"a message with the control character {odd[0]!r}"
    return ""


def crash_of(error: BaseException) -> Outcome:
    """Return the outcome of an error that no reader may raise."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/dlcourse/" in frame.filename]
    last = (own or frames or [None])[-1]
    where = f"{last.filename.rpartition('/src/')[2]}:{last.lineno}" if last else "?"
    text = " ".join(str(error).split())[:200]
    kind = type(error).__name__
    return Outcome("crash", f"{kind} at {where}: {text}", f"{kind} {where}")


@contextmanager
def alarm() -> Iterator[None]:
    """Raise HangError in the block after SECONDS of this process, whatever others do meanwhile."""

    def ring(number: int, frame: object) -> None:
        raise HangError(f"longer than {SECONDS:g} seconds")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


_judging: list[Judge] = []


@contextmanager
def watching(judge: Judge) -> Iterator[None]:
    """Let ``watch`` judge what the block does; warnings are not shown."""
    if not judge.watched:
        yield
        return
    _judging.append(judge)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _judging.pop()


def watch() -> None:
    """Let the interpreter report to the judges; it cannot be undone in a process."""
    sys.addaudithook(refuse_escapes)


def refuse_escapes(event: str, details: tuple) -> None:
    """Raise EscapeError, within a judged block, for a program or a file written elsewhere."""
    if not _judging:
        return
    if event in FORBIDDEN:
        raise EscapeError(f"{event} {details!r:.100}")
    if event == "open" and isinstance(details[2], int) and details[2] & WRITES:
        path, own = os.path.abspath(os.fsdecode(details[0])), str(_judging[-1].folder)
        if not path.startswith(own) and path != os.devnull:
            raise EscapeError(f"writes to {path}")


def peak_memory() -> int:
    """Return the largest memory of this process so far in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
