"""Start the ranks of a run as processes of this machine, and watch them; imports no torch."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from dlcourse.distributed.ranks import Ranks
from dlcourse.errors import LostRankError, RankError
from dlcourse.machine.fork_server import own_fork_server
from dlcourse.terminal.stop_signals import stop_requested

GRACE = 1.0  # seconds after the first failure in which the other ranks' reasons are collected
CLOSING = 10.0  # seconds that rank 0 may take to close its files
SAVING = 30.0  # seconds that it may take to write a checkpoint if a signal stops the run
PRELOADED = "DLCOURSE_PRELOAD"  # a variable: the module that the fork server imports
LAST_LINES = 5  # of a failed rank's output that are shown


@dataclass(frozen=True)
class Stream:
    """A file descriptor of this process, which a new process inherits when this is passed to it."""

    descriptor: int

    def __reduce__(self) -> tuple:
        return inherited, (DupFd(self.descriptor),)


def inherited(duplicate: Any) -> Stream:
    """Return the stream in the new process."""
    return Stream(duplicate.detach())


@dataclass
class RankProcess:
    """A rank and its process.

    messages: from the rank. output: the file of its output; None for rank 0.
    reply: the last message but those for observers, ``("done", result)`` or ``("failed", error)``.
    """

    rank: int
    process: BaseProcess
    messages: Connection
    output: Path | None
    reply: tuple[str, Any] | None = None
    ended: bool = field(default=False)


@dataclass(frozen=True)
class Surroundings:
    """What a rank takes from the process that starts it.

    place: the rank's. address: where the ranks meet. environment, folder: the variables and the
    current folder. output, errors: stdout and stderr. terminal: whether rank 0 shows its work.
    """

    place: Ranks
    address: str
    environment: dict[str, str]
    folder: str
    output: Stream
    errors: Stream


def run_ranks(
    task: str,
    arguments: Sequence[Any],
    size: int,
    answer: Callable[[Any], None],
) -> Any:
    """Call ``run_rank(surroundings, messages, *arguments)`` of a module in ``size`` processes.

    Returns what rank 0 sends as ``("done", result)``, and raises the error that a rank sends as
    ``("failed", error)``; RankError for a rank that has ended without a message. All processes have
    ended then. They also end if this process ends.

    task: the name of the module, which the processes share and this one does not import.
    answer: is called with the content of each message
    ``("observe", content)`` of rank 0, which then gets ``True``.
    """
    with own_fork_server(), TemporaryDirectory(prefix="dlcourse-ranks-") as own:
        context = context_with(task)
        running: list[RankProcess] = []
        try:
            for rank in range(size):
                running.append(start_rank(context, task, arguments, rank, size, Path(own)))
            return watch(running, answer)
        finally:
            stop(running)
            os.environ.pop(PRELOADED, None)


def context_with(module: str) -> Any:
    """Return the multiprocessing context: a fork server with a module imported, else spawn."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["dlcourse.distributed.preload"])
    os.environ[PRELOADED] = module
    return found


def call_task(module: str, *arguments: Any) -> None:
    """Call the function ``run_rank`` of a module; a rank's process starts here."""
    import_module(module).run_rank(*arguments)


def start_rank(
    context: Any,
    task: str,
    arguments: Sequence[Any],
    rank: int,
    size: int,
    folder: Path,
) -> RankProcess:
    """Start the process of one rank; folder: for the meeting of the ranks and their output."""
    output = folder / f"rank{rank}.txt" if rank else None
    ours, theirs = context.Pipe()
    with streams_of(output) as (out, err):
        surroundings = Surroundings(
            Ranks(rank, size, rank, size, joined=True),
            f"file://{folder / 'meeting'}",
            dict(os.environ),
            os.getcwd(),
            Stream(out),
            Stream(err),
        )
        process = context.Process(target=call_task, args=(task, surroundings, theirs, *arguments))
        process.start()
    theirs.close()
    return RankProcess(rank, process, ours, output)


@contextmanager
def streams_of(output: Path | None) -> Iterator[tuple[int, int]]:
    """Yield the descriptors of stdout and stderr for a rank.

    output: the file for both. None for this process's own; what is silenced here stays silent.
    """
    target = os.devnull if output is None else str(output)
    file = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
    found = [file, file]
    if output is None:
        for number, stream in enumerate((sys.stdout, sys.stderr)):
            with suppress(OSError, ValueError, AttributeError):  # not a file
                stream.flush()
                found[number] = stream.fileno()
    try:
        yield found[0], found[1]
    finally:
        os.close(file)


def watch(running: Sequence[RankProcess], answer: Callable[[Any], None]) -> Any:
    """Wait until all ranks are done, or one has failed; return the result or raise the error."""
    while not all(one.ended for one in running):
        failed = listen(running, answer)
        if not failed and running[0].reply is not None and running[0].reply[0] == "done":
            wait_for_ends(running, answer)
            return running[0].reply[1]
        if failed:
            raise why_failed(reasons_of(failed, running, answer))
    raise AssertionError("all ranks ended, and rank 0 sent no result")


def reasons_of(
    failed: list[RankProcess], running: Sequence[RankProcess], answer: Callable[[Any], None]
) -> list[RankProcess]:
    """Return these ranks and those that fail soon after: they may only have lost another.

    The end of a process can be reported later than the connections that it has lost.
    """
    started, found = monotonic(), list(failed)
    while not all(one.ended for one in running):
        passed = monotonic() - started
        if passed > CLOSING or (passed > GRACE and any(not has_lost_another(one) for one in found)):
            break
        found += [one for one in listen(running, answer, 0.1) if one not in found]
    return found


def has_lost_another(one: RankProcess) -> bool:
    """Return whether a rank has failed only because its connection to another one has ended."""
    return one.reply is not None and isinstance(one.reply[1], LostRankError)


def listen(
    running: Sequence[RankProcess], answer: Callable[[Any], None], timeout: float | None = None
) -> list[RankProcess]:
    """Wait for messages and ends of ranks; return the ranks that have failed since."""
    live = [one for one in running if not one.ended]
    wait([source for one in live for source in (one.messages, one.process.sentinel)], timeout)
    failed = []
    for one in live:
        dead = not one.process.is_alive()  # asked first: its messages are then complete
        had = one.reply
        receive(one, answer)
        one.ended = dead
        newly = one.reply is not None and one.reply[0] == "failed" and had is None
        if newly or (dead and one.reply is None):
            failed.append(one)
    return failed


def receive(one: RankProcess, answer: Callable[[Any], None]) -> None:
    """Read the messages of a rank; those for observers are answered."""
    try:
        while one.messages.poll():
            kind, content = one.messages.recv()
            if kind == "observe":
                answer(content)
                one.messages.send(True)
            else:
                one.reply = (kind, content)
    except (EOFError, ConnectionError):
        return


def wait_for_ends(running: Sequence[RankProcess], answer: Callable[[Any], None]) -> None:
    """Wait until all ranks have ended after rank 0 is done, at most ``CLOSING`` seconds."""
    until = monotonic() + CLOSING
    while not all(one.ended for one in running) and monotonic() < until:
        listen(running, answer, 0.1)


def why_failed(failed: Sequence[RankProcess]) -> BaseException:
    """Return the error that explains why ranks have failed.

    An error of a rank explains more than a rank that ended without a message, and both explain more
    than a lost connection.
    """
    sent = sorted((one for one in failed if one.reply), key=lambda one: one.rank)
    errors = [one.reply[1] for one in sent if one.reply]
    own = [error for error in errors if not isinstance(error, LostRankError)]
    if own:
        return own[0]
    silent = [one for one in failed if one.reply is None]
    if silent:
        return silent_end(silent[0])
    return RankError(f"The connection between the ranks has ended: {str(errors[0])[:200]}")


def silent_end(one: RankProcess) -> RankError:
    """Return the error of a rank that ended without a message."""
    status = one.process.exitcode
    how = f"has ended with status {status}"
    if status is not None and status < 0:
        known = -status in set(signal.Signals)
        how = f"was ended by {signal.Signals(-status).name if known else f'signal {-status}'}"
        how += ", as the system does when memory runs out" if -status == 9 else ""
    return RankError(
        f"Rank {one.rank} (process {one.process.pid}) {how}; the other ranks have been stopped."
        f"{last_output(one)}"
    )


def last_output(one: RankProcess) -> str:
    """Return the last lines of a rank's output, on lines of their own."""
    if one.output is None or not one.output.exists():
        return ""
    lines = one.output.read_text(encoding="utf-8", errors="replace").split("\n")
    return "".join(f"\n{line}" for line in [line for line in lines if line.strip()][-LAST_LINES:])


def stop(running: Sequence[RankProcess]) -> None:
    """End all ranks: rank 0 writes a checkpoint and closes its files, the others are killed.

    Rank 0 is terminated every second: a process that has just started ignores the signal.
    """
    until = monotonic() + (SAVING if stop_requested() else CLOSING)
    for one in running[:1]:
        while one.process.is_alive() and monotonic() < until:
            one.process.terminate()
            one.process.join(1.0)
    for one in running:
        if one.process.is_alive():
            one.process.kill()
    for one in running:
        one.process.join()
        one.messages.close()
