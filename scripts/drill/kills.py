"""Kill runs at random moments, resume them, and compare them with a run that was not killed."""

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path

from dlcourse.schema.run_files import LAST_CHECKPOINT
from dlcourse.train import fit
from dlcourse.train.checkpoint import has_checkpoint, history_of, read_checkpoint
from drill.contents import checkpoint_problem, contents, differing, temporary_files
from drill.forks import fork, run_fork, status_now, wait_for
from drill.kinds import Kind
from drill.moments import NAMES, Moment, Moments

KILLED = -signal.SIGKILL
TWICE = 0.25  # the share of the runs that are killed a second time
POLL = 0.0001  # seconds
SHOWN = 100  # a line is printed after this number of runs
EVERY_MOMENT = tuple(Moment)


def nothing() -> None:
    """Change nothing."""


@dataclass
class Score:
    """How the killed and resumed runs have ended.

    equal: to the last bit. lost: could not be resumed. twice: were
    killed twice. moments: the number of kills by kind of run and moment. partial: kills
    that left a temporary file. kept: what went wrong.
    """

    runs: int = 0
    equal: int = 0
    lost: int = 0
    twice: int = 0
    partial: int = 0
    moments: Counter[tuple[str, Moment]] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """The number of kills."""
        return sum(self.moments.values())


@dataclass
class Whole:
    """A run that was not killed: what it has left, and how often and how long each moment was."""

    kind: Kind
    contents: dict[str, object]
    counts: dict[Moment, int]
    seconds: dict[Moment, float]


def train_whole(kind: Kind, folder: Path, change: Callable[[], None] = nothing) -> Whole:
    """Train a run without a kill; raises RuntimeError if it fails.

    change: is called in its process before it starts.
    """
    moments = Moments()
    status = run_fork(partial(leg, kind, folder, moments, change), folder.with_suffix(".out"))
    if status != 0:
        raise RuntimeError(f"The run that is not killed has failed: {folder.with_suffix('.out')}")
    found = {moment: moments.count(moment) for moment in Moment}
    return Whole(kind, contents(folder), found, {m: moments.seconds(m) for m in Moment})


def leg(kind: Kind, folder: Path, moments: Moments, change: Callable[[], None] = nothing) -> None:
    """Start or resume a run in a process of its own, which may be killed."""
    change()
    moments.clear()
    moments.watch()
    kind.run(folder)


def drill_kills(
    wholes: dict[str, Whole], runs: int, generator: random.Random, folder: Path
) -> Score:
    """Kill and resume ``runs`` runs of all kinds in turn; return the score."""
    score, moments = Score(), Moments()
    for whole in cycle(wholes.values()):
        if score.runs == runs:
            break
        run = folder / f"run{score.runs}"
        if not kill_once(whole, run, moments, generator, score):
            shutil.rmtree(run)
            continue
        if generator.random() < TWICE:
            score.twice += kill_once(whole, run, moments, generator, score)
        score.runs += 1
        judge(whole, run, score)
        if score.runs % SHOWN == 0:
            print(f"{score.equal} of {score.runs} killed runs equal ...", flush=True)
    return score


def kill_once(
    whole: Whole, run: Path, moments: Moments, generator: random.Random, score: Score
) -> bool:
    """Start or resume a run and kill it at a random moment; return whether it was still running."""
    found = kill(whole, run, moments, generator)
    if found is None:
        return False
    score.moments[whole.kind.name, found] += 1
    score.partial += bool(temporary_files(run))
    problem = checkpoint_problem(run) if whole.kind.config["engine"] == "separate" else ""
    if problem:
        score.kept.append(f"{run}: killed {NAMES[found]}: {problem}")
    return True


def kill(
    whole: Whole,
    run: Path,
    moments: Moments,
    generator: random.Random,
    change: Callable[[], None] = nothing,
    aims: tuple[Moment, ...] = EVERY_MOMENT,
) -> Moment | None:
    """Start or resume a run, kill it, and return the moment; None if it ended before.

    One of the moments ``aims`` is drawn, one of the times that it comes, and a time within it.
    """
    aim = generator.choice(aims)
    turn = generator.randint(1, whole.counts[aim]) if whole.counts[aim] else 0
    delay = generator.uniform(0, whole.seconds[aim])
    moments.clear()
    process = fork(partial(leg, whole.kind, run, moments, change), run.with_suffix(".out"))
    status = None
    while moments.count(aim) < turn and status is None:
        time.sleep(POLL)
        status = status_now(process)
    until = time.perf_counter() + delay
    while status is None and time.perf_counter() < until:
        time.sleep(min(POLL, delay))
    if status is None:
        os.kill(process, signal.SIGKILL)
        status = wait_for(process)
    if status == 0:
        return None
    if status != KILLED:
        raise RuntimeError(f"A run has failed with status {status}: {run.with_suffix('.out')}")
    return moments.now


def judge(whole: Whole, run: Path, score: Score, change: Callable[[], None] = nothing) -> None:
    """Resume a killed run to its end, compare it, and add it to the score.

    The folder of a run that differs is kept, the others are removed.
    """
    output = run.with_suffix(".out")
    status = run_fork(partial(leg, whole.kind, run, Moments(), change), output)
    if status != 0:
        score.lost += 1
        score.kept.append(f"{run}: could not be resumed, see {output.name}")
        return
    names = differing(whole.contents, contents(run))
    if names:
        score.kept.append(f"{run}: {len(names)} values differ, such as {names[0]}")
        return
    score.equal += 1
    if left := temporary_files(run):
        score.kept.append(f"{run}: {left[0].name} is left")
    shutil.rmtree(run)
    output.unlink()


def no_reseed() -> None:
    """Leave out the reseeding of the random number generators at the start of an epoch."""
    fit.reseed = lambda seed, epoch: None


def no_random_state() -> None:
    """Leave out the restoring of the random number generators within an epoch."""
    fit.restore_rng_states = lambda found: None


def is_after_an_epoch(run: Path) -> bool:
    """Return whether a run's last checkpoint is of an epoch's end."""
    return has_checkpoint(run) and read_checkpoint(run / LAST_CHECKPOINT)["midway"] is None


def is_within_an_epoch(run: Path) -> bool:
    """Return whether a run's last checkpoint is of a step within an epoch."""
    return has_checkpoint(run) and not is_after_an_epoch(run)


CONTROLS = {
    "reseed": ("plain", no_reseed, is_after_an_epoch),
    "random state": ("in epochs", no_random_state, is_within_an_epoch),
}
"""What is left out in a control, the kind of run, and whether its loss must be noticed in a run."""


def drill_controls(
    wholes: dict[str, Whole], runs: int, generator: random.Random, folder: Path
) -> Iterator[tuple[str, int]]:
    """Yield the name of each control and the number of its runs, of ``runs``, that differ."""
    for name, (kind, change, fits) in CONTROLS.items():
        whole = train_whole(wholes[kind].kind, folder / f"without {name}", change)
        made = (folder / f"control{number}" for number in range(runs))
        yield name, sum(differs(whole, run, change, fits, generator) for run in made)


def differs(
    whole: Whole,
    run: Path,
    change: Callable[[], None],
    fits: Callable[[Path], bool],
    generator: random.Random,
) -> bool:
    """Kill and resume a run with a change that leaves out a part of resuming.

    It is killed before its last epoch, with a checkpoint that ``fits``. Returns whether it differs.
    """
    while True:
        kill(whole, run, Moments(), generator, change, (Moment.STEP,))
        if fits(run) and len(history_of(run)) < whole.kind.config["max_epochs"] - 1:
            break
        shutil.rmtree(run)
    score = Score()
    judge(whole, run, score, change)
    shutil.rmtree(run, ignore_errors=True)
    return not score.equal and not score.lost
