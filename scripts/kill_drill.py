"""Kill runs at random moments, let every file operation fail, resume, and compare all bits.

    python scripts/kill_drill.py [kills=1000] [every=1] [sweep_kills=30] [rank_kills=10] [ranks=2] [folder=<new folder>] [seed=0]

Each run is resumed and compared with one that was not disturbed: weights, optimizer, history,
result and predictions must be equal to the last bit, except for times. The exit status is 1 if one
differs, and if a control does not: a run without reseeding must differ. The folder of a run that
differs is kept.

kills: the number of runs that are killed by SIGKILL, a quarter of them twice: plain ones, with
folds, with checkpoints within epochs, with folds trained together. All are forks of this process.
every: lets every n-th file operation of two runs end the process and fail with ENOSPC and EIO.
sweep_kills: the number of kills of sweeps with two workers: of the command or of a worker.
rank_kills: the number of kills of runs that are trained by ``ranks`` processes on the CPU.
With 0 a part is left out. The drill needs an operating system with fork (Linux, macOS).
"""  # noqa: E501

import clone  # noqa: F401  (finds src/)

import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.schema.arguments import arguments, whole_number_argument
from dlcourse.schema.bounds import SEED, whole_number
from dlcourse.terminal.command import one_message

DEFAULTS = {
    "kills": "1000", "every": "1", "sweep_kills": "30", "rank_kills": "10", "ranks": "2",
    "folder": "", "seed": "0",
}  # fmt: skip
COUNTS = ("kills", "every", "sweep_kills", "rank_kills")


def main() -> None:
    """Read the options, run all parts of the drill and print the score."""
    settings = arguments(sys.argv[1:], DEFAULTS, __doc__)
    amount = whole_number(0, 100_000, 20)
    counts = {key: whole_number_argument(settings, key, amount) for key in COUNTS}
    ranks = whole_number_argument(settings, "ranks", whole_number(2, 64, 2))
    seed = whole_number_argument(settings, "seed", SEED)
    if not hasattr(os, "fork"):
        raise UserError("The drill forks processes, which this operating system cannot do.")
    # before torch is imported: threads and a GPU's context do not survive in a fork
    os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    folder = Path(settings["folder"] or tempfile.mkdtemp(prefix="drill-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)

    from drill.parts import Drill

    started = time.monotonic()
    drill = Drill(folder, random.Random(seed))
    if counts["kills"]:
        drill.kill_runs(counts["kills"])
    if counts["every"]:
        drill.fail_operations(counts["every"])
    if counts["sweep_kills"]:
        drill.kill_sweeps(counts["sweep_kills"])
    if counts["rank_kills"]:
        drill.kill_ranks(counts["rank_kills"], ranks)
    print("\n".join(["", *drill.lines, f"{time.monotonic() - started:.0f} s"]), flush=True)
    if drill.wrong:
        print("\n".join(["", "What went wrong:", *drill.wrong, f"See {folder}"]), file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    with one_message():
        main()
