"""Kill sweeps and runs on several ranks, which have processes of their own, and resume them."""

import os
import random
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dlcourse import cli
from dlcourse.schema.run_files import CONFIG, HISTORY, MANIFEST
from drill.contents import contents, differing
from drill.forks import fork, status_now, wait_for

GONE = 30.0  # seconds until all processes of what was killed must have ended
LIMIT = 600.0  # seconds of a sweep
IN_A_ROW = 4  # the most kills before a sweep or a run is resumed to its end


@dataclass(frozen=True)
class Command:
    """A command of dlcourse with processes of its own.

    overrides: what is typed. key: the option of its folder. epochs: their number in all its runs.
    """

    name: str
    overrides: list[str]
    key: str
    epochs: int

    def type(self, folder: Path) -> None:
        """Start the command in a folder, or resume it, as the command line does."""
        started = (folder / CONFIG).exists() or (folder / MANIFEST).exists()
        words = [f"resume={folder}"] if started else [*self.overrides, f"{self.key}={folder}"]
        sys.argv = ["train.py", *words]
        os.chdir(folder.parent)
        cli.main()


@dataclass
class ProcessScore:
    """How many commands were killed and resumed, how often, and how many ended bitwise equal.

    victims: the number of kills by what was killed. kept: what went wrong.
    """

    commands: int = 0
    equal: int = 0
    kills: int = 0
    victims: dict[str, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


def drill_processes(
    command: Command, kills: int, generator: random.Random, folder: Path
) -> ProcessScore:
    """Kill a command ``kills`` times, a new one after a few kills; compare each at its end."""
    folder.mkdir()
    whole, score = folder / "whole", ProcessScore()
    process = fork(partial(command.type, whole), folder / "whole.out")
    if status := wait_for(process, LIMIT):
        raise RuntimeError(f"The {command.name} that is not killed has failed ({status}): {whole}")
    expected = contents(whole)
    while score.kills < kills:
        place = folder / f"{command.name}{score.commands}"
        for _ in range(min(generator.randint(1, IN_A_ROW), kills - score.kills)):
            disturb(command, place, generator, score)
        score.commands += 1
        problem = end_of(command, place, expected)
        if problem:
            score.kept.append(f"{place}: {problem}")
        else:
            score.equal += 1
            shutil.rmtree(place)
    return score


def end_of(command: Command, place: Path, expected: dict[str, object]) -> str:
    """Resume a command to its end; return what is wrong with it, empty if it is bitwise equal."""
    status = wait_for(fork(partial(command.type, place), place.with_suffix(".out")), LIMIT)
    if status != 0:
        return f"could not be resumed (status {status})"
    names = differing(expected, contents(place))
    return f"{len(names)} values differ, such as {names[0]}" if names else ""


def disturb(command: Command, place: Path, generator: random.Random, score: ProcessScore) -> None:
    """Start or resume a command and kill one of its processes; a finished one is not counted.

    The moment is up to a tenth of a second after a random number of epochs was recorded, or within
    the first seconds.
    """
    done = epochs_in(place)
    early = generator.random() < 0.2
    least = done if early else generator.randint(done, max(done, command.epochs - 1))
    delay = generator.uniform(0, 3.0 if early else 0.1)
    process = fork(partial(command.type, place), place.with_suffix(".out"))
    status = None
    while status is None and epochs_in(place) < least:
        time.sleep(0.005)
        status = status_now(process)
    time.sleep(delay)
    status = status_now(process) if status is None else status
    if status is not None:
        return
    own = workers_of(process)
    victim = generator.choice([process, process, *own])
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    kind = "the command itself" if victim == process else "one of its workers"
    score.kills += 1
    score.victims[kind] = score.victims.get(kind, 0) + 1
    wait_for(process, LIMIT)
    if left := still_running(own, GONE):
        score.kept.append(f"{place}: {len(left)} processes are alive after one was killed")


def workers_of(process: int) -> list[int]:
    """Return the processes that train for a command: the children of its fork server."""
    return [one for server in children(process) for one in children(server)]


def children(process: int) -> list[int]:
    """Return the processes that a process has started, oldest first (Linux)."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return sorted(found)


def still_running(processes: list[int], seconds: float) -> list[int]:
    """Return the processes that are running after a number of seconds."""
    until = time.monotonic() + seconds
    while (left := [one for one in processes if is_running(one)]) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def is_running(process: int) -> bool:
    """Return whether a process exists and is not only waiting to be collected by its parent."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def epochs_in(place: Path) -> int:
    """Return the number of recorded epochs in a folder, over all folds and jobs."""
    found = 0
    for path in place.rglob(HISTORY):
        with suppress(OSError):
            found += path.read_bytes().count(b"\n")
    return found
