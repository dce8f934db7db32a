"""Let every single file operation of a run die or fail, resume the run, and compare it."""

import itertools
import os
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dlcourse import cli
from dlcourse.schema.run_files import CONFIG, HISTORY, LAST_CHECKPOINT, OUT_OF_FOLD, PREDICTIONS
from dlcourse.train.checkpoint import has_checkpoint
from drill.contents import checkpoint_problem, contents, differing, temporary_files
from drill.faults import DEATH, DIED, FAULTS, Operations
from drill.forks import run_fork
from drill.kinds import Kind

SHOWN = 50  # a line is printed after this number of operations
OBSERVED = {HISTORY, PREDICTIONS, OUT_OF_FOLD, "out_of_fold", "ensemble"}


@dataclass
class FaultScore:
    """How the runs with a fault have ended, by the name of the fault.

    equal: runs that ended bitwise like one without a fault, with a whole checkpoint at each moment.
    tracebacks: operations whose failure ended in a traceback. kept: what went wrong.
    """

    runs: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    tracebacks: dict[str, list[str]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


def drill_operations(kind: Kind, every: int, folder: Path, score: FaultScore) -> int:
    """Let every ``every``-th operation of a run have each fault; return the number of operations.

    n is increased until no fault happens any more: until the run has fewer than n operations.
    If some operations are left out, each of the others has one of the faults, in turn.
    """
    folder.mkdir()
    whole = folder / "whole"
    count, status = start(kind, whole, DEATH, 0)
    if status != 0:
        raise RuntimeError(f"The run without a fault has failed: {whole.with_suffix('.out')}")
    expected = contents(whole)
    for number in itertools.count(every, every):
        faults = list(FAULTS) if every == 1 else [list(FAULTS)[number // every % len(FAULTS)]]
        places = [folder / f"{fault}{number}" for fault in faults]
        happened = [
            fail(kind, place, fault, number, expected, score)
            for place, fault in zip(places, faults, strict=True)
        ]
        if not any(happened):
            return count
        if number % SHOWN == 0:
            equal, runs = score.equal.total(), score.runs.total()
            print(f"{equal} of {runs} runs with a failed operation equal ...", flush=True)
    raise AssertionError("count() ended")


def fail(kind: Kind, run: Path, fault: str, number: int, expected: dict, score: FaultScore) -> bool:
    """Run with a fault at the n-th operation, resume, compare; return whether the fault happened.

    expected: the contents of a run without a fault.
    """
    count, status = start(kind, run, fault, number)
    if count < number:
        shutil.rmtree(run)
        return False
    names = run.with_suffix(".names")
    operations = names.read_text().splitlines()
    what = f"{fault} at {number}: {operations[number - 1]}"
    score.runs[fault] += 1
    output = run.with_suffix(".out").read_text(errors="replace")
    if "Traceback" in output:
        score.tracebacks.setdefault(fault, []).append(what)
    problem = problem_of(run, fault, status, operations[: number - 1])
    warned = status == 0 and "warning" in output.lower()
    if not problem:
        status = resume(kind, run)
        if status != 0:
            problem = f"could not be resumed (status {status})"
        elif different := unlike(expected, contents(run), warned):
            problem = f"{len(different)} values differ, such as {different[0]}"
        elif left := temporary_files(run):
            problem = f"{left[0].name} is left"
    if problem:
        score.kept.append(f"{run}: {what}: {problem}")
        return True
    score.equal[fault] += 1
    shutil.rmtree(run)
    for path in run.parent.glob(f"{run.name}.*"):
        path.unlink()
    return True


def problem_of(run: Path, fault: str, status: int, done: list[str]) -> str:
    """Return what is wrong with a run after a fault; empty if nothing is.

    done: the operations before the fault.
    """
    if fault == DEATH and status != DIED:
        return f"the process ended with status {status}"
    if problem := checkpoint_problem(run):
        return problem
    if any(line.endswith(f" to {LAST_CHECKPOINT}") for line in done) and not has_checkpoint(run):
        return "the old checkpoint is lost, and there is no new one"
    return ""


def unlike(expected: dict, found: dict, warned: bool) -> list[str]:
    """Return the names of the values that differ.

    warned: the run has warned of the fault and finished. Then what only observes may be
    incomplete: the history, and the predictions with what is computed of those of all folds.
    """
    names = differing(expected, found)
    return [name for name in names if not (warned and OBSERVED & set(Path(name).parts))]


def start(kind: Kind, run: Path, fault: str, number: int) -> tuple[int, int]:
    """Start a run; return the number of its operations and its exit status."""
    operations = Operations(run, fault, number, run.with_suffix(".names"))

    def started() -> None:
        os.chdir(run.parent)
        operations.watch()
        kind.run_with_log(run)

    status = run_fork(started, run.with_suffix(".out"))
    return operations.count, status


def resume(kind: Kind, run: Path) -> int:
    """Resume a run by the command line, or start it if it has no config; return its status."""

    def typed() -> None:
        sys.argv = ["train.py", f"resume={run}"]
        os.chdir(run.parent)
        cli.main()

    is_started = (run / CONFIG).exists()
    return run_fork(
        typed if is_started else partial(kind.run_with_log, run), run.with_suffix(".out")
    )
