"""One run on one and on two processes of the CPU, or one, two ... GPUs, with the same batch."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.workloads import WITHOUT_VALIDATION
from dlcourse.errors import UserError
from dlcourse.timing.interleave import interleave, median_and_quartiles, ratios

TITLE = "Several devices for one run"
GPU = False
TRAIN = Path(__file__).parents[2] / "train.py"
EPOCHS = 3  # the first one is not measured
EXAMPLES = {"lenet": 12_000, "mlp": 24_000, "resnet20": 1_024}
BATCH = {"lenet": 256, "mlp": 256, "resnet20": 128}


def measure(options: Options) -> Iterator[str]:
    """Yield a table of images per second of whole runs, one row for each model."""
    if not options.root:
        yield "Left out: it needs MNIST itself; type data.root=<folder>."
        return
    counts = devices_here(options)
    rows = []
    for name in options.chosen("lenet", "resnet20"):
        if name not in EXAMPLES:
            raise UserError(f"cases=devices has the models {', '.join(EXAMPLES)}, got {name}")
        if options.late():
            break
        say(f"devices: {name}")
        timers = {f"devices={count}": partial(images_per_second, name, count, options)
                  for count in counts}  # fmt: skip
        speeds = interleave(timers, options.rounds)
        one, *others = speeds.values()
        rows.append([name, *map(partial(median_and_quartiles, form=",.0f"), speeds.values()),
                     *(median_and_quartiles(ratios(many, one)) for many in others)])  # fmt: skip
    threads = options.threads or os.cpu_count() or 1
    what = "GPUs" if options.device == "cuda" else f"processes that share {threads} threads"
    yield "\n\n".join([
        f"Images/s of one run on MNIST, {options.rounds} runs each, the median of epochs 2 to "
        f"{EPOCHS}; the batch is the same, and divided among {what}. Batches of "
        f"{', '.join(f'{BATCH[name]} ({name})' for name in EXAMPLES)}.",
        table(("model", *(f"devices={count}" for count in counts),
               *(f"{count} : 1" for count in counts[1:])), rows),
    ])  # fmt: skip


def devices_here(options: Options) -> list[int]:
    """Return the numbers of devices to compare: 1 and 2, 4 ... up to the GPUs that there are."""
    if options.device != "cuda":
        return [1, 2]
    import torch

    return [count for count in (1, 2, 4, 8) if count <= torch.cuda.device_count()]


def images_per_second(name: str, devices: int, options: Options, round_number: int) -> float:
    """Train one run in a process of its own; return its images per second after the first epoch.

    round_number: as ``interleave`` passes it; each round does the same.
    """
    with tempfile.TemporaryDirectory() as folder:
        threads = [f"runtime.threads={options.threads}"] if options.threads else []
        command = [
            sys.executable, str(TRAIN), f"model={name}", "data=mnist", "optim=adam",
            f"data.examples={EXAMPLES[name]}", f"batch_size={BATCH[name]}", *WITHOUT_VALIDATION,
            f"max_epochs={EPOCHS}", f"runtime.device={options.device}", "observe=[history]",
            f"runtime.devices={devices}", *threads, f"hydra.run.dir={folder}/run",
            f"data.root={Path(options.root).absolute()}",
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode != 0:
            raise UserError(f"{' '.join(command)} failed:\n{ended.stderr}")
        lines = Path(folder, "run/history.jsonl").read_text().splitlines()
    return median(json.loads(line)["examples_per_second"] for line in lines[1:])
