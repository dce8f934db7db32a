"""Time a sweep of small runs next to one ``python train.py`` for each job, and large sweeps.

    python benchmarks/benchmark_sweep.py [jobs=32] [workers=2] [epochs=5] [rounds=1]
        [points=10000] [finished=1000] [real=0]

The jobs train an MLP on the digits, each with another seed. The sweep and the single runs have the
same overrides and follow each other on the same machine; the single runs are started one at a time,
as in a shell's loop. Their weights must be equal to the last bit. Prints both wall times and their
ratio for every round; ``rounds=0`` leaves this out.

Large sweeps: the seconds to check ``points`` points with ``check=true``; with ``finished`` jobs
that have ended, made from one real run, the seconds of ``dlcourse collect`` and of the sweep's
command typed again, which finds them all. Each is a new process, Python's start included. The
memory is the largest of the command's own process. ``real=1000`` runs this number of short jobs as
well, about 1 s each, and prints how the memory of the command changes.
"""

import clone  # noqa: F401  (finds src/)

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep

from dlcourse.errors import UserError
from dlcourse.schema.arguments import arguments, whole_number_argument
from dlcourse.schema.bounds import whole_number
from dlcourse.terminal.command import one_message

TRAIN = Path(__file__).parents[1] / "train.py"
COLLECT = TRAIN.parent / "scripts/collect.py"


def main() -> None:
    """Read the options, time both ways in turn, print the ratios."""
    defaults = {"jobs": "32", "workers": "2", "epochs": "5", "rounds": "1",
                "points": "10000", "finished": "1000", "real": "0"}  # fmt: skip
    settings = arguments(sys.argv[1:], defaults, __doc__)
    jobs = whole_number_argument(settings, "jobs", whole_number(1, 10_000, 32))
    workers = whole_number_argument(settings, "workers", whole_number(1, 1000, 2))
    epochs = whole_number_argument(settings, "epochs", whole_number(1, 1000, 5))
    rounds = whole_number_argument(settings, "rounds", whole_number(0, 100, 1))
    points = whole_number_argument(settings, "points", whole_number(0, 100_000, 10_000))
    finished = whole_number_argument(settings, "finished", whole_number(0, 100_000, 1000))
    real = whole_number_argument(settings, "real", whole_number(0, 100_000, 0))
    with tempfile.TemporaryDirectory(prefix="benchmark_sweep-") as name:
        time_large_sweeps(Path(name), points, finished, real)
    common = [
        "model=mlp",
        "data=digits",
        f"max_epochs={epochs}",
        f"runtime.threads={threads(workers)}",
    ]
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="benchmark_sweep-") as name:
            folder = Path(name)
            started = perf_counter()
            many = ["-m", *common, f"seeds={jobs}", f"workers={workers}"]
            run([*many, f"hydra.sweep.dir={folder / 'sweep'}"])
            sweep = perf_counter() - started
            started = perf_counter()
            for seed in range(jobs):
                run([*common, f"seed={seed}", f"hydra.run.dir={folder / f'alone/seed-{seed}'}"])
            alone = perf_counter() - started
            compare(folder, jobs)
        print(
            f"round {number + 1}: {jobs} runs of {epochs} epochs: one command with {workers} "
            f"workers {sweep:.1f} s, one process each {alone:.1f} s, ratio {alone / sweep:.2f}; "
            "weights bitwise equal",
            flush=True,
        )


SHORT_JOB = ["model=mlp", "data=digits", "data.examples=60", "max_epochs=1", "runtime=cpu"]


def time_large_sweeps(folder: Path, points: int, finished: int, real: int) -> None:
    """Print the times and the memory of sweeps with many points or jobs; 0 leaves one out."""
    if points:
        seconds, memory = timed(["-m", *SHORT_JOB, *grid(points), "check=true"])
        print(f"{points:,} points checked in {seconds}, {max(memory):.0f} MB", flush=True)
    if finished:
        from finished_sweep import write_finished

        run([*SHORT_JOB, "observe=[history]", f"hydra.run.dir={folder / 'one'}"])
        place = folder / "finished"
        command = [*SHORT_JOB, "observe=[history]", *grid(finished), f"hydra.sweep.dir={place}"]
        jobs = write_finished(place, folder / "one", command)
        report, memory = timed([str(place)], COLLECT)
        again, most = timed(["-m", *command])
        print(
            f"{jobs:,} finished jobs: table and plots in {report}, {max(memory):.0f} MB; the "
            f"command typed again finds them and writes the report in {again}, "
            f"{max(most):.0f} MB",
            flush=True,
        )
    if real:
        place = folder / "real"
        own = ["observe=[]", f"seed=range(0,{real})", f"hydra.sweep.dir={place}"]
        seconds, memory = timed(["-m", *SHORT_JOB, *own])
        done = len(list(place.glob("*/result.json")))
        print(
            f"{done:,} of {real:,} short jobs, one at a time: {seconds}; memory "
            f"of the command {memory[len(memory) // 10]:.0f} MB after a tenth of the time, "
            f"{memory[len(memory) * 9 // 10]:.0f} MB after nine tenths, at most "
            f"{max(memory):.0f} MB, the report included",
            flush=True,
        )


def grid(points: int) -> list[str]:
    """Return the overrides of a grid of this number of points, two keys with values each."""
    rates = next(n for n in range(int(points**0.5), 0, -1) if points % n == 0)
    values = [
        ",".join(f"{(one + 1) / 1e4:g}" for one in range(n)) for n in (rates, points // rates)
    ]
    return [f"optim.lr={values[0]}", f"optim.weight_decay={values[1]}"]


def timed(arguments: list[str], script: Path = TRAIN) -> tuple[str, list[float]]:
    """Run a script; return its times as text and its memory in MB over time.

    Raises UserError if it fails. On systems without ``/proc`` the memory is 0.
    """
    memory = [0.0]
    started, before = perf_counter(), os.times()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, str(script), *arguments], stdout=output, stderr=output
        )
        while process.poll() is None:
            with suppress(OSError):
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                memory += [int(line.split()[1]) / 1024 for line in lines if "VmRSS" in line]
            sleep(0.02)
        seconds, after = perf_counter() - started, os.times()
        cpu = after.children_user - before.children_user
        cpu += after.children_system - before.children_system
        output.seek(0)
        if process.returncode:
            raise UserError(f"{script.name} failed:\n{output.read()[-2000:]}")
    return f"{seconds:.1f} s ({cpu:.1f} s of CPU)", memory


def threads(workers: int) -> int:
    """Return the number of CPU threads of each job, and of each single run."""
    from dlcourse.sweep.pool import threads_of_each

    return threads_of_each(workers)


def run(overrides: list[str]) -> None:
    """Run ``python train.py`` with these overrides; raises UserError if it fails."""
    ended = subprocess.run([sys.executable, str(TRAIN), *overrides], capture_output=True, text=True)
    if ended.returncode:
        raise UserError(f"python train.py {' '.join(overrides)} failed:\n{ended.stderr.strip()}")


def compare(folder: Path, jobs: int) -> None:
    """Raise UserError if a job of the sweep and its single run end with different weights."""
    import torch

    for seed in range(jobs):
        name = f"seed-{seed}" if jobs > 1 else "defaults"
        places = (folder / "sweep" / name, folder / f"alone/seed-{seed}")
        first, second = (
            torch.load(place / "checkpoints/last.pt", weights_only=True)["model"]
            for place in places
        )
        if not all(torch.equal(first[key], second[key]) for key in second):
            raise UserError(f"seed={seed} ended with different weights in the sweep")


if __name__ == "__main__":
    with one_message():
        main()
