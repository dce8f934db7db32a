"""The recipes of the record tables: their test accuracy and their time.

Every round is one run of ``train.py`` with a seed of its own. The training time is that of the
epochs, without imports, reading the data and the final test.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.cases.process import TRAIN, wall
from benchmarks.markdown import say, table
from benchmarks.options import Options
from dlcourse.timing.interleave import median_and_quartiles

TITLE = "The recipes of the record tables"
GPU = True
RECIPES = {
    "mnist_99": ("mnist", []),
    "cifar10_94": ("cifar", ["runtime.precision=bf16"]),
    "resnet18, 10 epochs": ("cifar", [
        "model=resnet18", "optim=nesterov", "optim.lr=0.1", "optim.weight_decay=0.0005",
        "schedule=one_cycle", "max_epochs=10", "batch_size=512", "augment=[crop_flip]",
        "split.fraction=0", "stop=never", "monitor=train/loss", "mode=min",
        "runtime.precision=bf16",
    ]),
}  # fmt: skip
ON_THE_CPU = ("mnist_99",)


def measure(options: Options) -> Iterator[str]:
    """Yield a table of accuracies and times; recipes without their images are left out."""
    rows, out = [], []
    for name, (data, overrides) in RECIPES.items():
        folder = options.root if data == "mnist" else options.cifar
        if not folder:
            key = "data.root" if data == "mnist" else "cifar"
            out.append(f"{name} is left out: it needs the images; type {key}=<folder>.")
        elif options.device != "cuda" and name not in ON_THE_CPU:
            out.append(f"{name} is left out: it needs a GPU; type device=cuda.")
        elif options.late():
            out.append(f"The time limit was reached before {name}.")
        else:
            rows.append(row(name, data, folder, overrides, options))
    columns = ("recipe", "test accuracy", "training, s", "whole process, s", "runs")
    yield "\n\n".join([table(columns, rows), *out])


def row(name: str, data: str, folder: str, overrides: list[str], options: Options) -> list[str]:
    """Run one recipe with one seed per round; return its row of the table."""
    own = [] if overrides and overrides[0].startswith("model=") else [f"experiment={name}"]
    place = ["data=mnist"] if data == "mnist" else ["data=image_folder", "data.size=32"]
    more = [*place, f"data.root={Path(folder).absolute()}", f"runtime.device={options.device}"]
    accuracy, training, whole = [], [], []
    for seed in range(options.rounds):
        if options.late() and whole:
            break
        with tempfile.TemporaryDirectory(prefix="benchmark-") as there:
            started = perf_counter()
            wall(name, [str(TRAIN), *own, *overrides, *more, f"seed={seed}",
                        "hydra.run.dir=run"], there)  # fmt: skip
            whole.append(perf_counter() - started)
            result = json.loads((Path(there) / "run/result.json").read_text())
        accuracy.append(100 * result["test"]["accuracy"])
        training.append(result["seconds"])
        say(f"records: {name} {accuracy[-1]:.2f} % in {whole[-1]:.1f} s")
    values = [
        median_and_quartiles(accuracy, ".2f"),
        median_and_quartiles(training, ".1f"),
        median_and_quartiles(whole, ".1f"),
    ]
    return [name, *values, str(len(whole))]
