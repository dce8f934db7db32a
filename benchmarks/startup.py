"""Show where the time goes between a command and its first training step, and on to its end.

    python benchmarks/startup.py [rounds=5] [data=digits,mnist] [data.root=<folder>]

Runs ``python train.py model=lenet optim=adam max_epochs=1 runtime=cpu`` in fresh processes, on the
first set to its end and on the others until the first step is done, and prints every stage; then
how long --help, --cfg job and a mistyped word take, and which packages take longest to import. A
stage is measured by clocks around the program's own functions and by an additional observer, all
put there from here; the same command is timed without them as well. Figures are medians over the
rounds; one round more comes first and is not counted, because a set may have to be fetched.
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
WRONG = "a mistyped word"
SHORT = {"--help": ["--help"], "--cfg job": ["--cfg", "job"], WRONG: ["optim=adan"]}
SHORT_GOAL, STEP_GOAL = 0.5, 3.0  # seconds, on two cores
STEP, END = "first step", "end"
STAGES = {  # each begins where the one before ends
    "Python": "starts",
    "command line": "dlcourse.cli and Hydra are imported",
    "config": "is composed and checked, the run gets its folder",
    "Hydra": "composes once more and sets up logging",
    "torch": "is imported",
    "experiment": "and what else is dlcourse's own is imported",
    "choices": "are found and bound to their options",
    "data": "are read",
    "model": "is made, with all that the loop is handed",
    STEP: "is taken",
    "epoch": "is finished, validated, kept and written down",
    "test": "is done and drawn, and the graph of the model",
    END: "of the process",
}
HEAVY = (  # modules that no step needs, unless a choice asks for them
    *("torchvision", "sklearn", "scipy", "matplotlib", "tensorboard", "rich", "optuna", "sympy"),
    *("torch._dynamo", "torch.utils.tensorboard", "torch.distributed.tensor"),
)
SHOWN = 10  # packages
WATCHED = "--watched"  # how this script starts itself


def main() -> None:
    """Read the words, time every command in turn, print the tables and what became of the goals."""
    from dlcourse.schema.arguments import arguments, whole_number_argument
    from dlcourse.schema.bounds import counted

    defaults = {"rounds": "5", "data": "digits,mnist", "data.root": ""}
    words = arguments(sys.argv[1:], defaults, __doc__)
    rounds = whole_number_argument(words, "rounds", counted(1, 1000, 5))
    root = [f"data.root={words['data.root']}"] if words["data.root"] else []
    runs = {name: [*RUN, f"data={name}", *root] for name in words["data"].split(",")}
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


def watch(words: list[str], *, to_the_end: bool) -> dict:
    """Run a command in a process that is watched; return its ``marks`` and ``heavy`` modules.

    marks: when each stage ended, in seconds from the start of the process.
    """
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        marks_file = Path(folder) / "marks.json"
        started = time.monotonic()
        options = [WATCHED, str(marks_file), str(started), str(to_the_end)]
        place = f"hydra.run.dir={folder}/run"
        carry_out([str(Path(__file__)), *options, *words, place])
        ended = time.monotonic() - started
        found = json.loads(marks_file.read_text())
    if to_the_end:
        found["marks"][END] = ended
    return found


def watched(marks_file: str, started: str, to_the_end: str, *words: str) -> None:
    """Do what ``python train.py`` does with these words, and write down when each stage ended.

    It is what a process does that ``watch`` has started.
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
    sys.argv = [str(TRAIN), *words]
    try:
        cli.main()
    finally:
        atomic_files.write_json(Path(marks_file), {"marks": clock.marks, "heavy": clock.heavy})


class Clock:
    """An observer (see ``dlcourse.core.Observer``) that keeps when each stage ended.

    started: of the process, by the monotonic clock, which all processes share. to_the_end: false
    ends the process after the first step.
    """

    due = None

    def __init__(self, started: float, to_the_end: bool) -> None:
        self.started, self.to_the_end = started, to_the_end
        self.marks: dict[str, float] = {}
        self.heavy: list[str] = []

    def mark(self, stage: str) -> None:
        """Keep that a stage has ended just now."""
        self.marks[stage] = time.monotonic() - self.started

    def start(self, state: Any, recipe: Any, fold: Any) -> None:
        self.mark("model")

    def watch(self, batches: Iterable, count: int) -> Iterator:
        for batch in batches:
            yield batch
            if STEP not in self.marks:  # the loop is done with the first batch and wants another
                self.mark(STEP)
                self.heavy = [name for name in HEAVY if name in sys.modules]
                if not self.to_the_end:
                    sys.exit()

    def epoch(self, state: Any) -> None:
        self.mark("epoch")

    def finish(self, state: Any, result: dict) -> None:
        self.mark("test")

    def close(self) -> None:
        """There is nothing to give back."""


def seconds_of(words: list[str], status: int = 0) -> float:
    """Return how long ``python train.py`` takes with some words, from the start to the end."""
    started = time.monotonic()
    carry_out([str(TRAIN), *words], status)
    return time.monotonic() - started


def carry_out(words: list[str], status: int = 0) -> str:
    """Run Python and return what it said on stderr; raises UserError for another exit status."""
    ended = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    if ended.returncode != status:
        raise UserError(f"python {' '.join(words)} failed:\n{ended.stderr.strip()}")
    return ended.stderr


def slowest_packages(said: str) -> Iterator[str]:
    """Yield a line for each of the packages that took longest, from what ``-X importtime`` said."""
    packages: dict[str, list[int]] = {}
    for line in said.splitlines():
        _, is_one, times = line.partition("import time:")
        microseconds, _, name = times.partition("|")  # of the module alone, without what it imports
        if is_one and microseconds.strip().isdigit():
            package = name.rpartition("|")[-1].strip().partition(".")[0]
            packages.setdefault(package, []).append(int(microseconds))
    longest = sorted(packages, key=lambda package: sum(packages[package]), reverse=True)
    for package in longest[:SHOWN]:
        own = packages[package]
        yield f"{package:<14}{sum(own) / 1e6:8.2f}  {len(own):5} modules"


def middle_marks(found: list[dict]) -> dict[str, float]:
    """Return the median of when each stage ended."""
    ended = [one["marks"] for one in found]
    return {
        stage: middle([marks[stage] for marks in ended]) for stage in STAGES if stage in ended[0]
    }


def middle(seconds: list[float]) -> float:
    """Return the median."""
    from statistics import median  # late, so that a process that is watched does not wait for it

    return median(seconds)


def table_of(marks: dict[str, dict[str, float]]) -> Iterator[str]:
    """Yield the lines of a table: what each stage took with each set, and when it ended."""
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
    """Return the line that says whether a goal is met."""
    judged = "met" if seconds <= goal else "MISSED"
    return f"{what:<30}{seconds:5.2f}  goal {goal:.1f}: {judged}"


if __name__ == "__main__":
    if sys.argv[1:2] == [WATCHED]:
        watched(*sys.argv[2:])
    else:
        from dlcourse.terminal.command import one_message

        with one_message():
            main()
