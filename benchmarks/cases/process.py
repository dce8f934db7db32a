"""Wall times of whole processes that train LeNet-5 on MNIST for some epochs and test it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.workloads import BATCH, WITHOUT_VALIDATION
from dlcourse.errors import UserError
from dlcourse.timing.interleave import interleave, median_and_quartiles, ratios

TITLE = "Whole processes"
GPU = False
EPOCHS = 3
TRAIN = Path(__file__).parents[2] / "train.py"
PROGRAMS = Path(__file__).parents[1] / "programs"
OURS = [
    "model=lenet", "data=mnist", "optim=adam", f"batch_size={BATCH}", *WITHOUT_VALIDATION,
]  # fmt: skip


def measure(options: Options) -> Iterator[str]:
    """Yield a table of wall times."""
    if not options.root:
        yield "Left out: it needs MNIST itself; type data.root=<folder>."
        return
    commands: dict[str, list[str]] = {
        "python train.py": [
            str(TRAIN), *OURS, f"max_epochs={EPOCHS}",
            f"data.root={Path(options.root).absolute()}", f"runtime.device={options.device}",
        ],
        "tutorial script": program("tutorial_mnist", options),
    }  # fmt: skip
    out = []
    for name, library in (("Lightning", "lightning"), ("Keras", "keras")):
        if name in options.without or find_spec(library) is None:
            out.append(f"{name} is left out: it is not installed; type pip install "
                       "'dlcourse[bench]'.")  # fmt: skip
        else:
            commands[f"{name} script"] = program(f"{library}_mnist", options)
    timers = {name: runner(name, command) for name, command in commands.items()}
    seconds = interleave(timers, options.rounds)
    first = next(iter(commands))
    rows = [
        [name, median_and_quartiles(values, ".1f"),
         "" if name == first else median_and_quartiles(ratios(values, seconds[first]))]
        for name, values in seconds.items()
    ]  # fmt: skip
    head = f"LeNet-5, MNIST, {EPOCHS} epochs and the test, {options.rounds} processes each; ours "
    head += "also writes history, TensorBoard and checkpoints. Seconds, the median:"
    columns = ("program", "seconds (quartiles)", "train.py is … times as fast")
    yield "\n\n".join([head, table(columns, rows), *out])


def program(name: str, options: Options) -> list[str]:
    """Return the command of another library's program."""
    return [str(PROGRAMS / f"{name}.py"), str(Path(options.root).absolute()), str(EPOCHS)]


def runner(name: str, command: list[str]) -> Callable[[int], float]:
    """Return a function that runs a program in an empty folder and returns its wall time."""

    def run(number: int) -> float:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            started = perf_counter()
            wall(name, command, folder)
            seconds = perf_counter() - started
        say(f"process: {name} {seconds:.1f} s")
        return seconds

    return run


def wall(name: str, command: list[str], folder: str) -> None:
    """Run a Python program in a folder; raises UserError if it fails."""
    before = [entry for entry in (os.environ.get("PYTHONPATH"),) if entry]
    there = os.pathsep.join(os.path.abspath(part) for e in before for part in e.split(os.pathsep))
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": there}
    ended = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, env=environment
    )
    if ended.returncode:
        raise UserError(f"{name} failed:\n{ended.stderr.strip()[-2000:]}")
