"""The process of a tracker, as the training process sees it."""

import atexit
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import IO, Any

from dlcourse.errors import UserError

EXIT_SECONDS = 5.0  # until a tracker's process that has nothing to do is killed
RUN_NUMBERS = count(1)


@dataclass
class Answers:
    """What a tracker's process has answered about one run.

    ended: set once the run is closed or has failed.
    """

    warnings: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)
    failure: "TrackerError | None" = None
    ended: threading.Event = field(default_factory=threading.Event)


class TrackerError(UserError):
    """A tracker has failed. details: the traceback in its process."""

    def __init__(self, text: str, details: str = "") -> None:
        super().__init__(text)
        if details:
            self.add_note(details)


class TrackerProcess:
    """A process that calls one library, for all runs of this process.

    It is in a session of its own, so that Ctrl-C does not reach it, and ends when this process
    ends, however that happens. Nothing here waits for it except ``wait`` and ``stop``.
    """

    def __init__(self, library: str) -> None:
        self.library = library
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``stop``
        self.answers: dict[int, Answers] = {}
        self.outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dlcourse.tracking.worker", library],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.threads = [
            threading.Thread(target=self.write_all, args=(self.process.stdin,), daemon=True),
            threading.Thread(target=self.read_all, args=(self.process.stdout,), daemon=True),
        ]
        for thread in self.threads:
            thread.start()
        atexit.register(self.stop)

    def open(self, message: Mapping[str, Any]) -> int:
        """Open a run in the tracker; return its number here."""
        number = next(RUN_NUMBERS)
        self.answers[number] = Answers()
        self.send(number, "open", **message)
        return number

    def send(self, number: int, do: str, **content: Any) -> None:
        """Send a message about a run; raises TrackerError if the tracker has failed for it."""
        failure = self.answers[number].failure
        if failure is not None:
            raise failure
        self.outgoing.put(json.dumps({"run": number, "do": do, **content}).encode() + b"\n")

    def warnings(self, number: int) -> list[str]:
        """Return the tracker's warnings about a run since the last call."""
        found, waiting = [], self.answers[number].warnings
        while not waiting.empty():
            found.append(waiting.get())
        return found

    def wait(self, number: int, seconds: float) -> None:
        """Wait until the tracker has closed a run, and forget the run.

        Raises TrackerError if it has failed or takes longer; its process is killed then.
        """
        answers = self.answers[number]
        in_time = answers.ended.wait(seconds)
        del self.answers[number]
        if not in_time:
            self.process.kill()
            raise TrackerError(f"it has not finished within {seconds:g} s")
        if answers.failure is not None:
            raise answers.failure

    def write_all(self, pipe: IO[bytes]) -> None:
        """Write the messages into the pipe, in a thread: a full pipe delays nothing."""
        try:
            while (line := self.outgoing.get()) is not None:
                pipe.write(line)
                pipe.flush()
            pipe.close()
        except OSError:  # the process has ended, and ``read_all`` reports it
            pass

    def read_all(self, pipe: IO[bytes]) -> None:
        """Read the answers, in a thread, until the process ends; every open run has failed then."""
        for line in pipe:
            answer = json.loads(line)
            answers = self.answers.get(answer["run"])
            if answers is None:
                continue
            if answer["what"] == "warning":
                answers.warnings.put(answer["text"])
            elif answer["what"] == "failed":
                answers.failure = TrackerError(answer["text"], answer["details"])
                answers.ended.set()
            else:
                answers.ended.set()
        status = self.process.wait()
        for answers in list(self.answers.values()):
            if not answers.ended.is_set():
                answers.failure = TrackerError(
                    f"its process has ended with status {status}", self.last_words()
                )
                answers.ended.set()

    def last_words(self) -> str:
        """Return the end of what the process has written to its standard error."""
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - 4000))
        return self.errors.read().decode(errors="replace")

    def stop(self) -> None:
        """End the process, at the latest after ``EXIT_SECONDS``."""
        atexit.unregister(self.stop)
        self.outgoing.put(None)
        try:
            self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for thread in self.threads:
            thread.join(EXIT_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.errors.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs, and was started by this process and not by its parent."""
        return self.process.poll() is None


@cache
def started() -> dict[tuple[str, int], TrackerProcess]:
    """Return the trackers' processes by library and the process that has started them."""
    return {}


def process_of(library: str) -> TrackerProcess:
    """Return the process of a library, started where there is none."""
    key = library, os.getpid()
    known = started().get(key)
    if known is None or not known.alive:
        known = started()[key] = TrackerProcess(library)
    return known
