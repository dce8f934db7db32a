"""Search the same space at random and with Optuna, once for each seed, and compare the results.

    python benchmarks/compare_searches.py [seeds=5] [points=30] [workers=2] [folder=<new folder>]

The model is a multi-layer perceptron on the digits; the space is the optimizer, its learning rate
and momentum, the width and the dropout. Both searches have the same number of points and of
workers, and the training seed is fixed, so that only the points differ. Prints for every seed the
lowest validation loss and the number of epochs of both searches, and at the end the number of seeds
on which Optuna's loss is as low or lower. The exit status is 1 if a trial has a key that its
optimizer does not have, or lacks one that it has.
"""

import clone  # noqa: F401  (finds src/)

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dlcourse.runs.run_folder import read_result
from dlcourse.schema.arguments import arguments, whole_number_argument
from dlcourse.schema.bounds import whole_number
from dlcourse.terminal.command import one_message

TRAIN = Path(__file__).parents[1] / "train.py"
EPOCHS = 15
WITH_MOMENTUM = ("sgd", "momentum")  # Adam has no such key
SPACE = [
    "model=mlp", "model.widths=[16],[64],[256]", "model.dropout=interval(0,0.8)",
    "optim=sgd,momentum,adam", "optim.lr=tag(log,interval(0.00001,1))",
    "optim.momentum=interval(0,0.99)",
]  # fmt: skip
FIXED = [
    "data=digits", f"max_epochs={EPOCHS}", "stop=never", "monitor=val/loss", "mode=min",
    "observe=[history]", "runtime=cpu", "runtime.threads=1",
]  # fmt: skip
SEARCHES = {"random": "sweep.draws", "optuna": "sweep.trials"}


def main() -> None:
    """Read the options, search, print a line for each seed and the totals."""
    defaults = {"seeds": "5", "points": "30", "workers": "2", "folder": ""}
    settings = arguments(sys.argv[1:], defaults, __doc__)
    seeds = whole_number_argument(settings, "seeds", whole_number(1, 1000, 5))
    points = whole_number_argument(settings, "points", whole_number(1, 100_000, 30))
    workers = whole_number_argument(settings, "workers", whole_number(1, 4096, 2))
    folder = Path(settings["folder"] or tempfile.mkdtemp(prefix="compare_searches-"))
    started, wins, saved, wrong = time.monotonic(), 0, [], 0
    for seed in range(seeds):
        lines, bests, epochs = [], {}, {}
        for kind, key in SEARCHES.items():
            place = folder / f"{kind}-{seed}"
            search(place, [f"sweep={kind}", f"{key}={points}", f"sweep.seed={seed}"], workers)
            bests[kind], epochs[kind] = lowest(place), trained(place)
            wrong += len(misfits(place))
            lines.append(f"{kind} {bests[kind]:.4f} in {epochs[kind]} epochs")
        wins += bests["optuna"] <= bests["random"]
        saved.append(1 - epochs["optuna"] / (points * EPOCHS))
        print(
            f"seed {seed}: val/loss {', '.join(lines)}; pruning saved {saved[-1]:.0%}", flush=True
        )
    print(f"Optuna's lowest val/loss is as low as random search's, or lower, on {wins} of {seeds}")
    print(f"pruning saved {sum(saved) / seeds:.0%} of the epochs that {points} whole trials take")
    print(f"{wrong} trials have keys that do not fit their optimizer")
    print(f"{time.monotonic() - started:.0f} s; all runs are in {folder}")
    if wrong:
        sys.exit(1)


def search(place: Path, overrides: list[str], workers: int) -> None:
    """Run or resume one search; training may diverge at some of its points."""
    command = [sys.executable, str(TRAIN), "-m", *SPACE, *FIXED, *overrides, f"workers={workers}"]
    ended = subprocess.run([*command, f"hydra.sweep.dir={place}"], capture_output=True, text=True)
    if not list(place.glob("*/result.json")):
        raise RuntimeError(ended.stderr)


def lowest(place: Path) -> float:
    """Return the lowest validation loss of a search's finished trials."""
    results = (read_result(path.parent) for path in place.glob("*/result.json"))
    return min(result["best"] for result in results if result is not None)


def trained(place: Path) -> int:
    """Return the number of epochs of a search, including those of pruned trials."""
    return sum(len(path.read_text().splitlines()) for path in place.glob("*/history.jsonl"))


def misfits(place: Path) -> list[dict[str, str]]:
    """Return the trials whose optimizer has a momentum and that lack it, or the other way round."""
    trials = [point["values"] for point in json.loads((place / "sweep.json").read_text())["points"]]
    return [
        values
        for values in trials
        if ("optim.momentum" in values) != (values["optim"] in WITH_MOMENTUM)
    ]


if __name__ == "__main__":
    with one_message():
        main()
