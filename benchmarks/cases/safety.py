"""What safety costs: epochs with and without checkpoints and checks of all numbers, in turn.

Each run trains and validates with ``fit``. ``with``: checkpoints with their digests are written
after every epoch, every step checks its loss and gradients, and every epoch checks all numbers.
``without``: nothing of this. Both must end with the same weights, on the CPU to the last bit. The
batch size is 64, as in a run without options. Without ``steps`` an epoch has 48,000 of MNIST's
60,000 images, and the others are validated.

A second table has the time of a checkpoint with the weights of a large model and their optimizer.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from unittest.mock import patch

from benchmarks.cases.overhead import PICKED, compare, paired_epochs, timed
from benchmarks.markdown import table
from benchmarks.options import Options
from benchmarks.workloads import SIZES, WORKLOADS, compose_workload, load_images
from dlcourse.timing.interleave import interleave, median_and_quartiles, ratios

TITLE = "The cost of checkpoints and checks"
GPU = False
COLUMNS = ("model", "safety", "without, s", "with, s", "ratio (quartiles)", "epochs")
KINDS: dict[str, list[str]] = {"checkpoints and checks": ["observe=[]"]}
LARGE = 350_000_000  # bytes of the checkpoint of the second table
TIMES = 5  # how often each of its operations is timed


def measure(options: Options) -> Iterator[str]:
    """Yield the table of epochs, and that of a large checkpoint."""
    yield from paired_epochs("safety", ("lenet", "mlp"), KINDS, COLUMNS, row, options)
    yield large_checkpoint()


def row(name: str, kind: str, overrides: list[str], options: Options) -> list[str]:
    """Time one model; raises UserError if the two runs end with different weights."""
    from dlcourse.timing.training import TimedTraining, observers_of

    workload = WORKLOADS[name]
    examples = options.steps * 64 if options.steps else SIZES[workload.data]
    dataset = load_images(workload, options, examples)
    config = compose_workload(workload, options, *PICKED, "batch_size=64", *overrides)
    times: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(options.repeats):
        with ExitStack() as stack:
            safe, bare = TimedTraining(config, dataset), TimedTraining(config, dataset)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            observers = observers_of(config, folder, stack)
            timers = {
                "with": timed(lambda number, s=safe, o=observers: s.run(1, o)),
                "without": timed(lambda number, b=bare: without_checks(b)),
            }
            for timer in timers.values():
                timer(0)  # not measured
            for side, values in interleave(timers, options.rounds).items():
                times[side] += values
            compare(name, safe.state.model, bare.state.model)
    pairs = ratios(times["with"], times["without"])
    values = [f"{median(times[side]):.3f}" for side in ("without", "with")]
    return [name, kind, *values, median_and_quartiles(pairs, ".3f"), str(len(pairs))]


def without_checks(training) -> None:
    """Train an epoch that writes no checkpoint, and in which nothing looks at the numbers."""
    from dlcourse.train import fit
    from dlcourse.train.update import plain_update

    with patch.object(fit, "refuse_divergence", lambda *_: None):
        training.run(1, (), replace(training.recipe, update=plain_update))


def large_checkpoint() -> str:
    """Return the table of what a large checkpoint takes."""
    import torch

    from dlcourse import atomic_files, file_digest

    tensors = {str(number): torch.randn(LARGE // 40) for number in range(10)}
    with tempfile.TemporaryDirectory() as folder:
        path, plain = Path(folder) / "checked.pt", Path(folder) / "plain.pt"
        operations = {
            "write": lambda: atomic_files.save_checked(path, tensors),
            "the same without a digest": lambda: atomic_files.write(
                plain, lambda file: torch.save(tensors, file)
            ),
            "read": lambda: atomic_files.load_checked(path),
            "the same without the check": lambda: torch.load(plain, weights_only=True),
            "the digest alone": lambda: digest_again(file_digest, path),
        }
        rows = [[name, f"{median(seconds(run)):.2f}"] for name, run in operations.items()]
        size = path.stat().st_size
    return table((f"a checkpoint of {size / 1e6:.0f} MB", "seconds"), rows)


def digest_again(file_digest, path: Path) -> None:
    """Read a file and compare its digest."""
    with open(path, "rb") as file:
        file_digest.verify_digest(file, path)


def seconds(run: Callable[[], object]) -> list[float]:
    """Return the seconds of several calls."""
    found = []
    for _ in range(TIMES):
        start = perf_counter()
        run()
        found.append(perf_counter() - start)
    return found
