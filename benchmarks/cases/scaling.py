"""How the time depends on the batch, the model, the data, the folds and the jobs of a sweep."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from benchmarks.cases.overhead import timed
from benchmarks.cases.process import wall
from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.workloads import WITHOUT_VALIDATION, WORKLOADS, compose_workload, load_images
from dlcourse.timing.interleave import interleave, median_and_quartiles

TITLE = "How the time grows"
GPU = True
BATCHES = (16, 64, 256, 1024)
WIDTHS = (32, 128, 512, 2048)
SIZES = (6_000, 15_000, 30_000, 60_000)
FOLDS = (2, 5, 10)
JOBS = (1, 4, 16)
TRAIN = Path(__file__).parents[2] / "train.py"
DIGITS = ["model=mlp", "data=digits", "max_epochs=5"]


def measure(options: Options) -> Iterator[str]:
    """Yield tables of images per second, and of wall times of whole processes."""
    for name in options.chosen("mlp", "lenet"):
        cases = {f"batch_size={size}": [f"batch_size={size}"] for size in BATCHES}
        yield images(name, "batch", cases, options)
        if name == "mlp":
            cases = {f"model.widths=[{width}]": [f"model.widths=[{width}]"] for width in WIDTHS}
            yield images(name, "width of the hidden layer", cases, options)
        yield data_sizes(name, options)
        if options.late():
            break
    if options.device != "cuda" and not options.late():
        yield folds(options)
        yield jobs(options)


def images(name: str, what: str, cases: dict[str, list[str]], options: Options) -> str:
    """Return the images per second of dlcourse's loop with the overrides of each case."""
    from dlcourse.timing.training import TimedTraining

    workload = WORKLOADS[name]
    dataset = load_images(workload, options)
    # the case's overrides replace the workload's, because Hydra takes every key only once
    timers = {}
    for case, overrides in cases.items():
        own = replace(
            workload, model=tuple(w for w in workload.model if not same_key(w, overrides))
        )
        typed = [w for w in own.overrides(options) if not same_key(w, overrides)]
        config = compose_typed([*typed, *WITHOUT_VALIDATION, *overrides], options)
        timers[case] = timed(TimedTraining(config, dataset).epoch)
    return in_turn(f"**{name}, {what}**", timers, dict.fromkeys(cases, len(dataset.train)), options)


def data_sizes(name: str, options: Options) -> str:
    """Return the images per second of dlcourse's loop for several sizes of the data."""
    from dlcourse.timing.training import TimedTraining

    workload = WORKLOADS[name]
    config = compose_workload(workload, options, *WITHOUT_VALIDATION)
    largest = max(SIZES) if not options.steps else workload.examples(options)
    dataset = load_images(workload, options, largest)
    sizes = {f"{size:,} images": size for size in SIZES if size <= len(dataset.train)}
    sizes = sizes or {f"{len(dataset.train):,} images": len(dataset.train)}
    timers = {
        case: timed(TimedTraining(config, dataset, size).epoch) for case, size in sizes.items()
    }
    return in_turn(f"**{name}, data**", timers, sizes, options)


def in_turn(head: str, timers: dict, examples: dict[str, int], options: Options) -> str:
    """Time all cases in turn; return the table."""
    say(f"scaling: {head.strip('*')}")
    for timer in timers.values():
        timer(0)
    seconds = interleave(timers, options.rounds)
    rows = [
        [case, median_and_quartiles([examples[case] / value for value in values], ",.0f")]
        for case, values in seconds.items()
    ]
    return f"{head}\n\n{table(('', 'images/s (quartiles)'), rows)}"


def same_key(override: str, overrides: list[str]) -> bool:
    """Return whether one of the overrides has the key of this override."""
    return override.partition("=")[0] in {other.partition("=")[0] for other in overrides}


def compose_typed(overrides: list[str], options: Options):
    """Compose a config from exactly these overrides."""
    from benchmarks.workloads import compose_overrides

    return compose_overrides(overrides, options.root)


def folds(options: Options) -> str:
    """Return the wall time of a cross-validation by its number of folds."""
    cases = {
        f"split.folds={count}": [*DIGITS, "split=stratified_kfold", f"split.folds={count}"]
        for count in FOLDS
    }
    return processes(
        "**mlp on the digits, folds**, 5 epochs each, the whole process", cases, options
    )


def jobs(options: Options) -> str:
    """Return the wall time of a sweep by its number of jobs."""
    cases = {
        f"{count} jobs": ["-m", *DIGITS, f"seeds={count}", "workers=2", "runtime.threads=1"]
        for count in JOBS
    }
    return processes("**mlp on the digits, jobs of a sweep** with workers=2", cases, options)


def processes(head: str, cases: dict[str, list[str]], options: Options) -> str:
    """Return the wall times of ``train.py`` with the overrides of each case, timed in turn."""

    def timer(case: str):
        def run(number: int) -> float:
            with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
                started = perf_counter()
                wall(case, [str(TRAIN), *cases[case]], folder)
                seconds = perf_counter() - started
            say(f"scaling: {case} {seconds:.1f} s")
            return seconds

        return run

    seconds = interleave({case: timer(case) for case in cases}, min(options.rounds, 3))
    rows = [[case, median_and_quartiles(values, ".1f")] for case, values in seconds.items()]
    return f"{head}\n\n{table(('', 'seconds (quartiles)'), rows)}"
