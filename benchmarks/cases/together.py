"""Several runs trained as one, compared with the same runs one after another in one process.

Each side is the whole training with ``fit``: validation, history and a checkpoint after each epoch.
The sides take turns, with new runs for every turn. On a GPU, those one after another replay a CUDA
graph each, and files are written as well.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.workloads import WORKLOADS, compose_overrides, load_images
from dlcourse.timing.interleave import median_and_quartiles, ratios
from dlcourse.timing.worker import wait_for_device

TITLE = "Many models as one"
GPU = True
COMMON = ["stop=never", "optim=adam", "observe=[history]"]
DIGITS = ["data=digits", "data.size=8", "model=mlp", "model.widths=[32]", "max_epochs=20"]
MNIST = ["data=mnist", "batch_size=128", "max_epochs=4"]
ON_CPU = {
    "32 seeds of an MLP 64-32-10 on digits": (32, DIGITS),
    "10 folds of it": (1, [*DIGITS, "split=kfold", "split.folds=10"]),
    "4 seeds of a LeNet on digits": (4, ["data=digits", "model=lenet", "max_epochs=20"]),
}
ON_GPU = {
    "32 seeds of a LeNet on MNIST": (32, [*MNIST, "model=lenet"]),
    "5 folds of a LeNet with batch norm": (
        1, [*MNIST, "model=lenet", "model.norm=batch", "split=kfold", "split.folds=5"]
    ),
    "5 folds of a convnet": (1, [*MNIST, "model=convnet", "split=kfold", "split.folds=5"]),
}  # fmt: skip


def measure(options: Options) -> Iterator[str]:
    """Yield a table of one row for each group of runs, as soon as it is measured."""
    import torch

    on_gpu = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    rounds = 1 if on_gpu else options.rounds
    for name, (seeds, overrides) in (ON_GPU if on_gpu else ON_CPU).items():
        if options.late():
            yield f"The time limit was reached before {name}."
            return
        say(f"together: {name}")
        yield compared(name, seeds, [*overrides, *COMMON], options, rounds)


def compared(name: str, seeds: int, overrides: Sequence[str], options: Options, rounds: int) -> str:
    """Return a row as a table, and the line that says which engine was chosen."""
    times: dict[str, list[float]] = {"in turn": [], "together": []}
    line = ""
    for engine in ("in_turn", "fastest"):  # loads what they need
        trained(engine, min(seeds, 2), [*overrides, "max_epochs=1"], options)
    for turn in range(rounds):
        for engine in ("in_turn", "fastest")[:: 1 if turn % 2 else -1]:
            seconds, chosen = trained(engine, seeds, overrides, options)
            times["in turn" if engine == "in_turn" else "together"].append(seconds)
            line = chosen if engine == "fastest" else line
    pairs = ratios(times["in turn"], times["together"])
    values = [f"{median(times[side]):.2f}" for side in times]
    columns = ("runs", "in turn, s", "together, s", "ratio (quartiles)")
    return f"{table(columns, [[name, *values, median_and_quartiles(pairs, '.2f')]])}\n\n{line}"


def trained(
    engine: str, seeds: int, overrides: Sequence[str], options: Options
) -> tuple[float, str]:
    """Train new runs to their ends; return the seconds, and what says which engine did it."""
    from dlcourse.together.fit import fit_together

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lanes = lanes_in(folder, seeds, overrides, options, stack)
        wait_for_device()
        started = perf_counter()
        choice = fit_together(lanes, engine=engine)
        wait_for_device()
        return perf_counter() - started, str(choice)


def lanes_in(
    folder: Path,
    seeds: int,
    overrides: Sequence[str],
    options: Options,
    stack: ExitStack,
) -> list:
    """Return new lanes: every fold of every seed, on the same data."""
    from dlcourse.engine.assemble import make_recipe, make_state
    from dlcourse.engine.datasets import load_data, make_fold, split_training_data
    from dlcourse.engine.instantiate import build
    from dlcourse.timing.training import observers_of
    from dlcourse.together.lane import Lane

    threads = [f"runtime.threads={options.threads}"] if options.threads else []
    usual = [*overrides, f"runtime.device={options.device}", *threads]
    common = compose_overrides(usual, options.root)
    lanes, folds, dataset = [], {}, None
    for seed in range(seeds):
        config = {**common, "seed": seed}
        runtime = build(config["runtime"])()
        runtime = runtime.with_picks({"channels_last": False, "linear": "products"})
        if dataset is None:
            images = config["data"]["_target_"].endswith(".mnist")
            dataset = load_images(WORKLOADS["lenet"], options) if images else load_data(config)
        for part in split_training_data(config, dataset):
            fold = folds.setdefault(part.name, make_fold(config, dataset, part, runtime))
            place = folder / f"{seed}" / part.name
            place.mkdir(parents=True)
            lanes.append(
                Lane(
                    make_state(config, runtime, dataset, fold),
                    fold,
                    make_recipe(config, runtime, dataset, fold),
                    observers_of(config, place, stack),
                    f"seed {seed} {part.name}",
                )
            )
    return lanes
