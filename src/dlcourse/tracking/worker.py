"""The process that calls a tracker's library: reads messages, answers with what went wrong.

``python -m dlcourse.tracking.worker wandb``; ``process.TrackerProcess`` starts it.
"""

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from importlib import import_module
from typing import IO, Any, Protocol

from dlcourse.terminal.stop_signals import ignore_signals

TRACKERS = {
    "wandb": "dlcourse.tracking.to_wandb",
    "mlflow": "dlcourse.tracking.to_mlflow",
    "aim": "dlcourse.tracking.to_aim",
}
ALIVE_SECONDS = 1.0  # between two looks whether the training process is alive


class TrackedRun(Protocol):
    """A run in a tracker."""

    warnings: list[str]

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Record the metrics of an epoch."""

    def summarize(self, values: dict[str, float]) -> None:
        """Record the values of the finished run."""

    def close(self, status: str, files: list[str]) -> None:
        """Record files of the run's folder and how it ended, and write everything.

        status: finished, diverged or interrupted.
        """


def main() -> None:
    """Obey the messages on standard input until it ends or the training process has ended."""
    library, parent = sys.argv[1], os.getppid()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    commands = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)  # what the library prints must not mix with the answers
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    ignore_signals()  # the training process decides when to end
    runs: dict[int, TrackedRun] = {}
    for message in messages(commands, parent):
        obey(library, message, runs, answers)
    for run in runs.values():  # the training process was killed
        try:
            run.close("interrupted", [])
        except Exception:
            traceback.print_exc()
    if library == "mlflow":  # everything is in its store, and its own shutdown takes seconds
        sys.stderr.flush()
        os._exit(0)


def messages(commands: IO[bytes], parent: int) -> Iterator[dict[str, Any]]:
    """Yield the messages until there are no more, or the training process has ended."""
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def read() -> None:
        for line in commands:
            waiting.put(line)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = waiting.get(timeout=ALIVE_SECONDS)
        except queue.Empty:
            if os.name == "posix" and os.getppid() != parent:  # its children may keep the pipe open
                return
            continue
        if line is None or not line.endswith(b"\n"):
            return
        yield json.loads(line)


def obey(
    library: str, message: dict[str, Any], runs: dict[int, TrackedRun], answers: IO[str]
) -> None:
    """Do what a message says; answer with a failure, with warnings, and once a run is closed."""
    number, do = message.pop("run"), message.pop("do")

    def answer(what: str, **content: str) -> None:
        print(json.dumps({"run": number, "what": what, **content}), file=answers, flush=True)

    try:
        if do == "open":
            runs[number] = import_module(TRACKERS[library]).open_tracked(**message)
        elif number in runs:
            run = runs[number] if do != "close" else runs.pop(number)
            getattr(run, do)(**message)
            for text in run.warnings:
                answer("warning", text=text)
            run.warnings.clear()
    except Exception as error:
        answer("failed", text=in_one_line(error), details=traceback.format_exc())
        failed = runs.pop(number, None)
        if failed is not None:
            try:
                failed.close("interrupted", [])
            except Exception:
                traceback.print_exc()
    if do == "close":
        answer("closed")


def in_one_line(error: Exception) -> str:
    """Return the type and the first line of an error, ``OSError: No space left on device``."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


if __name__ == "__main__":
    main()
