"""Run a target: make inputs, judge them in a process of their own, keep what crashes."""

import hashlib
import logging
import mmap
import os
import random
import resource
import signal
import struct
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzzing.judge import Judge, Outcome, watch

STUCK = 20.0  # seconds of the CPU for one input until its process is killed
LARGEST = 2**25  # bytes of an input that another process can read
ADDRESSES = 2**32  # bytes of virtual memory above those at the start
BATCH = 200  # inputs of a strategy that hypothesis draws at a time


@dataclass
class Prepared:
    """A target that can be run.

    read: the reader as the commands call it, on the content of a file. make: (random numbers) -> an
    input. strategy: of hypothesis, which makes inputs as well. allowed: errors that every caller
    of the reader catches.
    """

    read: Callable[[bytes], object]
    make: Callable[[random.Random], bytes] | None = None
    strategy: Any = None
    allowed: tuple[type[BaseException], ...] = ()


@dataclass
class Score:
    """The number of inputs by their outcome, and the first input of each different crash."""

    name: str
    kinds: Counter = field(default_factory=Counter)
    crashes: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, outcome: Outcome, content: bytes) -> bool:
        """Count one input; return whether it is a crash that was not seen before."""
        self.kinds[outcome.kind] += 1
        if outcome.kind != "crash" or outcome.place in self.crashes:
            return False
        self.crashes[outcome.place] = outcome.reason, content
        return True

    def __str__(self) -> str:
        total = sum(self.kinds.values())
        rate = total / self.seconds if self.seconds else 0.0
        return (
            f"{self.name:12} {total:9,} cases {self.kinds['refused']:9,} refused "
            f"{self.kinds['accepted']:9,} accepted {self.kinds['crash']:5,} crashes "
            f"({len(self.crashes)} different) {self.seconds:7.1f} s {rate:8,.0f} cases/s"
        )


def inputs(prepared: Prepared, number: int, limit: int) -> Iterator[bytes]:
    """Yield inputs without end; those of ``make`` and of ``strategy`` take turns.

    number: the seed. limit: the number of inputs that are wanted at least.
    """
    draw = random.Random(number)
    batch = min(BATCH, limit or BATCH)
    while True:
        if prepared.make is not None:
            for _ in range(batch):
                yield prepared.make(draw)
        if prepared.strategy is not None:
            yield from drawn(prepared.strategy, draw.randrange(2**32), batch)


def drawn(strategy: Any, number: int, count: int) -> list[bytes]:
    """Return inputs that hypothesis draws from a strategy, the same for the same number."""
    found: list[bytes] = []
    checks: Any = list(HealthCheck)

    @seed(number)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=checks, derandomize=False)  # fmt: skip
    @given(strategy)
    def collect(content: bytes) -> None:
        found.append(content)

    collect()
    return found


def run_here(prepared: Prepared, name: str, folder: Path, number: int, cases: int) -> Score:
    """Judge a number of inputs in this process."""
    score, judge = Score(name), Judge(prepared.read, folder, prepared.allowed)
    started = time.monotonic()
    for content, _ in zip(inputs(prepared, number, cases), range(cases), strict=False):
        score.add(judge(content), content)
    score.seconds = time.monotonic() - started
    return score


def run_apart(
    prepared: Prepared, name: str, folder: Path, number: int, seconds: float, cases: int
) -> Score:
    """Judge inputs in forks of this process, which may die, until the time is over.

    A fork that dies or that is stuck is a crash by the input it was judging; another one goes on.
    """
    score, ends = Score(name), time.monotonic() + seconds
    started, attempt = time.monotonic(), 0
    while time.monotonic() < ends and (not cases or sum(score.kinds.values()) < cases):
        left = cases - sum(score.kinds.values()) if cases else 0
        run_fork(prepared, score, folder, number + 1000 * attempt, ends, left)
        attempt += 1
    score.seconds = time.monotonic() - started
    return score


def run_fork(
    prepared: Prepared, score: Score, folder: Path, number: int, ends: float, cases: int
) -> None:
    """Judge inputs in one fork until its end, and add what it reports to the score."""
    shared = mmap.mmap(-1, LARGEST)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        work_and_exit(prepared, folder, number, ends, cases, shared, writing, set(score.crashes))
    os.close(writing)
    with os.fdopen(reading, "rb") as reports:
        status = follow(child, reports, shared, score, ends)
    if status is not None:
        content = current(shared)
        score.add(Outcome("crash", f"the process ended: {status}", f"end {status}"), content)
    shared.close()


def work_and_exit(prepared: Prepared, *details: Any) -> None:
    """Call ``work`` and end the fork; an error of the target itself is printed."""
    errors = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries in C print what they find
    logging.disable()
    status = 1
    try:
        work(prepared, *details)
        status = 0
    except BaseException:
        os.write(errors, traceback.format_exc().encode())
    os._exit(status)


def work(
    prepared: Prepared,
    folder: Path,
    number: int,
    ends: float,
    cases: int,
    shared: mmap.mmap,
    writing: int,
    known: set[str],
) -> None:
    """Judge inputs in a fork: the current one stands in shared memory, outcomes go to a pipe."""
    watch()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    os.chdir(elsewhere)
    limit_addresses()
    judge = Judge(prepared.read, folder, prepared.allowed, watched=True)
    counts: Counter = Counter()
    for done, content in enumerate(inputs(prepared, number, cases), start=1):
        show(shared, content, done)
        outcome = judge(content)
        counts[outcome.kind] += 1
        if outcome.kind == "crash" and outcome.place not in known:
            known.add(outcome.place)
            send(writing, b"C", f"{outcome.place}\0{outcome.reason}".encode(errors="replace"))
            send(writing, b"I", content)
        over = time.monotonic() > ends or done == cases
        if over or done % 50 == 0:
            send(writing, b"N", " ".join(f"{kind}={n}" for kind, n in counts.items()).encode())
            counts.clear()
        if over or outcome.place == "memory":
            return


def limit_addresses() -> None:
    """Let an allocation of several gigabytes fail instead of filling the machine."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def show(shared: mmap.mmap, content: bytes, number: int) -> None:
    """Write an input into shared memory, with its number."""
    some = content[: LARGEST - 16]
    shared[16 : 16 + len(some)] = some
    shared[:16] = struct.pack("<QQ", len(some), number)


def current(shared: mmap.mmap) -> bytes:
    """Return the input in shared memory."""
    length, _ = struct.unpack("<QQ", shared[:16])
    return shared[16 : 16 + length]


def send(writing: int, kind: bytes, content: bytes) -> None:
    """Send a report to the parent: its kind, its length, its content."""
    left = memoryview(kind + struct.pack("<Q", len(content)) + content)
    while left:
        left = left[os.write(writing, left) :]


def follow(child: int, reports: Any, shared: mmap.mmap, score: Score, ends: float) -> str | None:
    """Read the reports of a fork until its end; return how it ended, None for a normal end."""
    last, since = -1, 0.0  # the number of the input, and the seconds of the CPU at its start

    def ring(number: int, frame: object) -> None:
        nonlocal last, since
        now, spent = struct.unpack("<QQ", shared[:16])[1], cpu_seconds(child)
        if now != last:
            last, since = now, spent
        if spent - since > STUCK or time.monotonic() > ends + 10 * STUCK:
            os.kill(child, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, STUCK, STUCK)
    try:
        place, reason = "", ""
        while head := reports.read(9):
            content = reports.read(struct.unpack("<Q", head[1:])[0])
            if head[:1] == b"C":
                place, reason = content.decode().split("\0", 1)
            elif head[:1] == b"I":
                score.crashes[place] = reason, content
            else:
                for part in content.decode().split():
                    kind, _, number = part.partition("=")
                    score.kinds[kind] += int(number)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"status {os.WEXITSTATUS(status)}" if os.WEXITSTATUS(status) else None


def cpu_seconds(process: int) -> float:
    """Return the time of the CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kept(score: Score, folder: Path) -> list[tuple[Path, str]]:
    """Write the crashing inputs into a folder; return their files and what happened."""
    found = []
    for reason, content in score.crashes.values():
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{score.name}-{hashlib.sha256(content).hexdigest()[:12]}"
        path.write_bytes(content)
        found.append((path, reason))
    return found
