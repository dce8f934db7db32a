"""Compare the time of a sweep of small runs with that of one ``python train.py`` for each job.

    python benchmarks/benchmark_sweep.py [jobs=32] [workers=2] [epochs=5] [rounds=1]

The jobs train an MLP on the digits, each with another seed. The sweep and the single runs have the
same overrides and follow each other on the same machine; the single runs are started one at a time,
as in a shell's loop. Their weights must be equal to the last bit. Prints both wall times and their
ratio for every round.
"""

import clone  # noqa: F401  (finds src/)

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from dlcourse.errors import UserError
from dlcourse.schema.arguments import arguments, whole_number_argument
from dlcourse.schema.bounds import whole_number
from dlcourse.terminal.command import one_message

TRAIN = Path(__file__).parents[1] / "train.py"


def main() -> None:
    """Read the options, time both ways in turn, print the ratios."""
    defaults = {"jobs": "32", "workers": "2", "epochs": "5", "rounds": "1"}
    settings = arguments(sys.argv[1:], defaults, __doc__)
    jobs = whole_number_argument(settings, "jobs", whole_number(1, 10_000, 32))
    workers = whole_number_argument(settings, "workers", whole_number(1, 1000, 2))
    epochs = whole_number_argument(settings, "epochs", whole_number(1, 1000, 5))
    rounds = whole_number_argument(settings, "rounds", whole_number(1, 100, 1))
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
