"""Peak memory by the size of the data, for whole processes of dlcourse and of a plain PyTorch loop.

Both hold all training images of MNIST in memory. The images of a folder are held in memory, or read
again in every epoch if they need more than ``data.memory``.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.markdown import say, table
from benchmarks.options import Options
from dlcourse.errors import UserError

TITLE = "Memory"
GPU = False
SIZES = (12_000, 24_000, 60_000)
FOLDER_SIZES = (5_000, 20_000, 50_000)
TRAIN = Path(__file__).parents[2] / "train.py"
PROGRAMS = Path(__file__).parents[1] / "programs"


def measure(options: Options) -> Iterator[str]:
    """Yield a table of the peak memory of each command."""
    if not options.root:
        yield "Left out: it needs MNIST itself; type data.root=<folder>."
        return
    root = str(Path(options.root).absolute())
    rows = [["nothing but import torch", "0", mebibytes(["-c", "import torch"])]]
    for size in SIZES:
        mnist = ["model=mlp", "data=mnist", "batch_size=128", f"data.root={root}"]
        bare = [str(PROGRAMS / "bare_memory.py"), root, str(size)]
        rows.append(["train.py, MNIST in memory", f"{size:,}", mebibytes(ours(size, *mnist))])
        rows.append(["bare loop, MNIST in memory", f"{size:,}", mebibytes(bare)])
    if options.cifar:
        folder = ["model=mlp", "data=image_folder", "batch_size=128",
                  f"data.root={Path(options.cifar).absolute()}"]  # fmt: skip
        for size in FOLDER_SIZES:
            if options.late():
                break
            for kind, memory in (("in memory", "4.0"), ("read anew", "0.0001")):
                command = ours(size, *folder, f"data.memory={memory}")
                rows.append([f"train.py, folder {kind}", f"{size:,}", mebibytes(command)])
    columns = ("command", "training images", "peak MiB")
    note = "Of several processes the largest counts: those that read images are smaller."
    yield f"{table(columns, rows)}\n\n{note}"


def ours(size: int, *overrides: str) -> list[str]:
    """Return the command that trains one epoch on ``size`` images."""
    return [str(TRAIN), *overrides, f"data.examples={size}", "max_epochs=1"]


def mebibytes(command: list[str]) -> str:
    """Run a Python command in an empty folder; return its peak memory in MiB.

    Raises UserError if it fails.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        launch = [sys.executable, "-I", str(PROGRAMS / "peak.py"), sys.executable, *command]
        ended = subprocess.run(launch, cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        raise UserError(f"{' '.join(command)} failed:\n{ended.stderr.strip()[-2000:]}")
    peak = int(ended.stdout.split()[-1])
    say(f"memory: {peak / 2**20:,.0f} MiB  {' '.join(command[-4:])}")
    return f"{peak / 2**20:,.0f}"
