"""Measure the stages of a command, from its start to the first training step and to its end.

    python benchmarks/startup.py [rounds=5] [data=digits,mnist] [data.root=<folder>]

Runs ``python train.py model=lenet optim=adam max_epochs=1 runtime=cpu`` in new processes, on the
first data set to its end and on the others until the first step is done, and prints the time of
every stage. Then prints the times of --help, --cfg job and a mistyped override, and the packages
that take longest to import. The stages are timed by wrapping dlcourse's functions and by an
additional observer; the same command is also timed without them. Values are medians over the
rounds; an additional first round is not counted, because it may download data.
"""

import clone  # noqa: F401  (finds src/)

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from dlcourse import atomic_files
from dlcourse.errors import UserError

TRAIN = Path(__file__).parents[1] / "train.py"
RUN = ["model=lenet", "optim=adam", "max_epochs=1", "runtime=cpu"]
WRONG = "a mistyped override"
SHORT = {"--help": ["--help"], "--cfg job": ["--cfg", "job"], WRONG: ["optim=adan"]}
SHORT_GOAL, STEP_GOAL = 0.5, 3.0  # seconds, on two cores
STEP, END = "first step", "end"
STAGES = {  # each starts where the one before ends
    "Python": "starts",
    "command line": "dlcourse.cli and Hydra are imported",
    "config": "is composed and checked, the run gets its folder",
    "Hydra": "composes once more and sets up logging",
    "torch": "is imported",
    "experiment": "and dlcourse's other modules are imported",
    "choices": "are imported and get their options",
    "data": "are read",
    "model": "is made, with everything else that the loop needs",
    STEP: "is done",
    "epoch": "is finished, validated and saved",
    "test": "is done, its plots and the model's graph are drawn",
    END: "of the process",
}
HEAVY = (  # modules that a training step does not need, unless a choice uses them
    *("torchvision", "sklearn", "scipy", "matplotlib", "tensorboard", "rich", "optuna", "sympy"),
    *("torch._dynamo", "torch.utils.tensorboard", "torch.distributed.tensor"),
)
SHOWN = 10  # the number of packages that are printed
WATCHED = "--watched"  # the argument with which this script starts itself


def main() -> None:
    """Read the options, time every command in turn, print the tables and whether goals are met."""
    from dlcourse.schema.arguments import arguments, whole_number_argument
    from dlcourse.schema.bounds import whole_number

    defaults = {"rounds": "5", "data": "digits,mnist", "data.root": ""}
    settings = arguments(sys.argv[1:], defaults, __doc__)
    rounds = whole_number_argument(settings, "rounds", whole_number(1, 1000, 5))
    root = [f"data.root={settings['data.root']}"] if settings["data.root"] else []
    runs = {name: [*RUN, f"data={name}", *root] for name in settings["data"].split(",")}
    first = next(iter(runs))
    seen: dict[str, list[dict]] = {name: [] for name in runs}
    times: dict[str, list[float]] = {name: [] for name in ("alone", *SHORT)}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            seen[name].append(watch(run, to_the_end=name == first))
        with tempfile.TemporaryDirectory(prefix="startup-") as folder:
            times["alone"].append(seconds_of([*runs[first], f"hydra.run.dir={folder}/run"]))
        for name, short in SHORT.items():
            times[name].append(seconds_of(short, status=2 * (name == WRONG)))
    print(f"Medians of {rounds} processes each, in seconds\n")
    marks = {name: middle_marks(found[1:]) for name, found in seen.items()}
    for line in table_of(marks):
        print(line)
    heavy = sorted({module for found in seen.values() for module in found[-1]["heavy"]})
    print(f"heavy modules imported before the first step: {', '.join(heavy) or 'none'}")
    alone, clocked = middle(times["alone"][1:]), marks[first][END]
    print(f"data={first} from the command to its end: {alone:.2f}, with the clocks {clocked:.2f}\n")
    print("Imports by package, of one run to its end, slowed down by Python's own clocks")
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        command = [str(TRAIN), *runs[first], f"hydra.run.dir={folder}/run"]
        for line in slowest_packages(carry_out(["-X", "importtime", *command])):
            print(line)
    print()
    for name in SHORT:
        print(verdict(name, middle(times[name][1:]), SHORT_GOAL))
    for name in runs:
        print(verdict(f"data={name} to the first step", marks[name][STEP], STEP_GOAL))


def watch(overrides: list[str], *, to_the_end: bool) -> dict:
    """Run a command in a process that is timed; return its ``marks`` and ``heavy`` modules.

    marks: the end of each stage, in seconds from the start of the process. heavy: modules of
    ``HEAVY`` that were imported before the first step.
    """
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        marks_file = Path(folder) / "marks.json"
        started = time.monotonic()
        options = [WATCHED, str(marks_file), str(started), str(to_the_end)]
        place = f"hydra.run.dir={folder}/run"
        carry_out([str(Path(__file__)), *options, *overrides, place])
        ended = time.monotonic() - started
        found = json.loads(marks_file.read_text())
    if to_the_end:
        found["marks"][END] = ended
    return found


def watched(marks_file: str, started: str, to_the_end: str, *overrides: str) -> None:
    """Run ``python train.py`` with these overrides; write the end of each stage to a file.

    This runs in the process that ``watch`` starts.
    """
    clock = Clock(float(started), to_the_end == "True")
    clock.mark("Python")
    from dlcourse import cli

    clock.mark("command line")
    prepare_run, run_job = cli.prepare_run, cli.run_job

    def prepare_watched(*arguments: Any) -> Any:
        run = prepare_run(*arguments)
        clock.mark("config")
        return run

    def run_job_watched(**options: Any) -> dict:
        clock.mark("Hydra")
        from dlcourse.machine.frozen_import import frozen_import

        frozen_import("torch")
        clock.mark("torch")
        experiment = frozen_import("dlcourse.engine.run")
        clock.mark("experiment")
        load_data = experiment.load_data

        def load_data_watched(*arguments: Any) -> Any:
            clock.mark("choices")
            dataset = load_data(*arguments)
            clock.mark("data")
            return dataset

        vars(experiment)["load_data"] = load_data_watched
        return run_job(**options, observers=[cast(Any, clock)])

    cli.prepare_run, cli.run_job = prepare_watched, run_job_watched
    sys.argv = [str(TRAIN), *overrides]
    try:
        cli.main()
    finally:
        atomic_files.write_json(Path(marks_file), {"marks": clock.marks, "heavy": clock.heavy})


class Clock:
    """An observer (see ``dlcourse.core.Observer``) that records the end of each stage.

    started: the start of the process by the monotonic clock, which all processes share.
    to_the_end: whether to run to the end; otherwise the process ends after the first step.
    """

    due = losses = None

    def __init__(self, started: float, to_the_end: bool) -> None:
        self.started, self.to_the_end = started, to_the_end
        self.marks: dict[str, float] = {}
        self.heavy: list[str] = []

    def mark(self, stage: str) -> None:
        """Record that a stage has just ended."""
        self.marks[stage] = time.monotonic() - self.started

    def start(self, state: Any, recipe: Any, fold: Any) -> None:
        self.mark("model")

    def watch(self, batches: Iterable, count: int) -> Iterator:
        for batch in batches:
            yield batch
            if STEP not in self.marks:  # the loop has finished the first step
                self.mark(STEP)
                self.heavy = [name for name in HEAVY if name in sys.modules]
                if not self.to_the_end:
                    sys.exit()

    def epoch(self, state: Any) -> None:
        self.mark("epoch")

    def tested(self, test: Any) -> None:
        """Do nothing: ``finish`` follows at once."""

    def finish(self, state: Any, result: dict) -> None:
        self.mark("test")

    def close(self) -> None:
        """Do nothing: nothing was opened."""


def seconds_of(overrides: list[str], status: int = 0) -> float:
    """Return the seconds of ``python train.py`` with these overrides, from start to end."""
    started = time.monotonic()
    carry_out([str(TRAIN), *overrides], status)
    return time.monotonic() - started


def carry_out(arguments: list[str], status: int = 0) -> str:
    """Run Python with these arguments and return its stderr.

    Raises UserError for an exit status other than ``status``.
    """
    ended = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if ended.returncode != status:
        raise UserError(f"python {' '.join(arguments)} failed:\n{ended.stderr.strip()}")
    return ended.stderr


def slowest_packages(log: str) -> Iterator[str]:
    """Yield a line for each of the slowest packages, from the output of ``-X importtime``."""
    packages: dict[str, list[int]] = {}
    for line in log.splitlines():
        _, is_one, times = line.partition("import time:")
        microseconds, _, name = times.partition("|")  # of the module itself, without its imports
        if is_one and microseconds.strip().isdigit():
            package = name.rpartition("|")[-1].strip().partition(".")[0]
            packages.setdefault(package, []).append(int(microseconds))
    longest = sorted(packages, key=lambda package: sum(packages[package]), reverse=True)
    for package in longest[:SHOWN]:
        own = packages[package]
        yield f"{package:<14}{sum(own) / 1e6:8.2f}  {len(own):5} modules"


def middle_marks(found: list[dict]) -> dict[str, float]:
    """Return the median end of each stage, in seconds from the start."""
    ended = [one["marks"] for one in found]
    return {
        stage: middle([marks[stage] for marks in ended]) for stage in STAGES if stage in ended[0]
    }


def middle(seconds: list[float]) -> float:
    """Return the median."""
    from statistics import median  # imported here, so that it does not slow the timed process down

    return median(seconds)


def table_of(marks: dict[str, dict[str, float]]) -> Iterator[str]:
    """Yield the lines of a table: the duration and the end of each stage, for each data set."""
    yield f"{'':14}" + "".join(f"{name:>8}  {'at':>5}" for name in marks)
    before = dict.fromkeys(marks, 0.0)
    for stage, what in STAGES.items():
        cells = ""
        for name, ended in marks.items():
            at = ended.get(stage)
            cells += " " * 15 if at is None else f"{at - before[name]:8.2f}  {at:5.2f}"
            before[name] = before[name] if at is None else at
        yield f"{stage:<14}{cells}  {what}"


def verdict(what: str, seconds: float, goal: float) -> str:
    """Return the line on whether a goal is met."""
    judged = "met" if seconds <= goal else "MISSED"
    return f"{what:<30}{seconds:5.2f}  goal {goal:.1f}: {judged}"


if __name__ == "__main__":
    if sys.argv[1:2] == [WATCHED]:
        watched(*sys.argv[2:])
    else:
        from dlcourse.terminal.command import one_message

        with one_message():
            main()
