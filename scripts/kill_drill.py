"""Kill runs and a sweep at random moments, resume them, and compare their results bit by bit.

    python scripts/kill_drill.py [runs=20] [sweep_kills=20] [ranks=1] [folder=<new folder>] [seed=0]

A third of the runs are cross-validations, a third write checkpoints within their epochs, and some
are killed twice. The sweep has twelve jobs, two at a time, and is killed ``sweep_kills`` times.
Each is compared with one that was not killed: weights, optimizer, history and the sweep's table
must be equal to the last bit, except for times. The exit status is 1 if one differs.

ranks: the number of processes that train every run on the CPU. With 2 or more, each kill ends one
    of them, or the process that started them; all must have ended after 30 seconds.
"""

import clone  # noqa: F401  (finds src/)

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from dlcourse.schema.arguments import arguments, whole_number_argument
from dlcourse.schema.bounds import SEED, whole_number
from dlcourse.terminal.command import one_message

TRAIN = Path(__file__).parents[1] / "train.py"
COMMON = ["optim=adam", "stop=never", "model.dropout=0.2", "augment=[noise]", "schedule=plateau",
          "schedule.patience=1"]  # fmt: skip
PLAIN = ["model=lenet", "max_epochs=25", *COMMON]
FOLDS = ["model=mlp", "max_epochs=20", "split=stratified_kfold", "split.folds=3", *COMMON]
STEPS = [
    "model=mlp",
    "max_epochs=12",
    "batch_size=2",
    "checkpoint_every=100",
    "average=ema",
    *COMMON,
]
SWEEP = ["-m", "model=mlp", "optim=sgd,adam", "optim.lr=0.1,0.01", "seeds=3", "max_epochs=150",
         "workers=2", "stop=never", "model.dropout=0.2", "augment=[noise]"]  # fmt: skip
TIMES = ("seconds", "examples_per_second")
STARTING = 5.0  # seconds until a sweep starts its first job, about
WORKING = 4.0  # seconds after that in which it may be killed
GONE = 30.0  # seconds until all ranks of a run must have ended


def main() -> None:
    """Read the options, then kill, resume and compare the runs and the sweep."""
    defaults = {"runs": "20", "sweep_kills": "20", "ranks": "1", "folder": "", "seed": "0"}
    settings = arguments(sys.argv[1:], defaults, __doc__)
    runs = whole_number_argument(settings, "runs", whole_number(0, 100_000, 20))
    sweep_kills = whole_number_argument(settings, "sweep_kills", whole_number(0, 100_000, 20))
    ranks = whole_number_argument(settings, "ranks", whole_number(1, 64, 2))
    generator = random.Random(whole_number_argument(settings, "seed", SEED))
    folder = Path(settings["folder"] or tempfile.mkdtemp(prefix="kill_drill-"))
    folder.mkdir(parents=True, exist_ok=True)
    equal = drill_runs(folder, runs, generator, ranks) if runs else True
    if sweep_kills:
        equal &= drill_sweep(folder, sweep_kills, generator)
    if not equal:
        sys.exit(1)
    if not settings["folder"]:
        shutil.rmtree(folder)


def drill_runs(folder: Path, runs: int, generator: random.Random, ranks: int) -> bool:
    """Kill and resume runs; return whether all of them end like a run that was not killed."""
    several = [f"runtime.devices={ranks}", "runtime=cpu"] if ranks > 1 else []
    kinds = {
        "plain": [*PLAIN, *several],
        "folds": [*FOLDS, *several],
        "steps": [*STEPS, *several],
    }
    whole = {}
    for kind, choice in kinds.items():
        train(folder / kind, choice)
        whole[kind] = ends(folder / kind)
    equal = 0
    for drill in range(runs):
        kind = tuple(kinds)[drill % 3]
        run = folder / f"run{drill}"
        kills = generator.choice([1, 1, 2])
        moments = [disturb(run, kinds[kind], generator) for _ in range(kills)]
        train(run, kinds[kind])
        same = ends(run) == whole[kind]
        equal += same
        verdict = "equal" if same else "DIFFERENT"
        print(f"{drill + 1:3}/{runs} {kind:5} killed {', '.join(moments)}: {verdict}", flush=True)
        if same:
            shutil.rmtree(run)
    print(f"{equal} of {runs} runs ended bitwise like one that was not killed")
    return equal == runs


def drill_sweep(folder: Path, kills: int, generator: random.Random) -> bool:
    """Kill and resume a sweep ``kills`` times; return whether it ends like one not killed."""
    whole, parts = folder / "whole_sweep", folder / "sweep"
    train(whole, SWEEP, "hydra.sweep.dir")
    for kill in range(kills):
        process = start(parts, SWEEP, "hydra.sweep.dir")
        moment = generator.uniform(0, STARTING + WORKING)
        try:
            process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        done = len(list(parts.glob("*/result.json")))
        print(
            f"{kill + 1:3}/{kills} sweep killed after {moment:.1f} s, with {epochs_done(parts)} "
            f"epochs and {done} of 12 jobs done",
            flush=True,
        )
    train(parts, SWEEP, "hydra.sweep.dir")
    same = ends(parts) == ends(whole) and table_of(parts) == table_of(whole)
    print(f"The sweep ended {'bitwise like' if same else 'DIFFERENT from'} one that was not killed")
    return same


def table_of(sweep: Path) -> list[dict[str, str]]:
    """Return the rows of a sweep's table without times and folders."""
    with open(sweep / "results.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in (*TIMES, "folder")} for row in rows]


def start(run: Path, choice: list[str], key: str = "hydra.run.dir") -> subprocess.Popen:
    """Start a run or a sweep, or resume the one in the folder; key: the option of its folder."""
    started = (run / ".hydra/config.yaml").exists() or (run / "sweep.json").exists()
    overrides = [f"resume={run}"] if started else [*choice, f"{key}={run}"]
    command = [sys.executable, str(TRAIN), *overrides]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def train(run: Path, choice: list[str], key: str = "hydra.run.dir") -> None:
    """Start or resume a run or a sweep, and wait for its end; raises RuntimeError if it fails."""
    process = start(run, choice, key)
    _, message = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(message.decode())


def disturb(run: Path, choice: list[str], generator: random.Random) -> str:
    """Start or resume a run, kill it at a random moment, and return the moment as text.

    The moment is up to one epoch's time after a random epoch was recorded; in one of five cases it
    is within the first seconds of the process.
    """
    starting = generator.random() < 0.2
    first, last = epochs_done(run), total(choice) - 3
    least = first if starting else generator.randint(min(first, last), last)
    within = 0.6 if "checkpoint_every=100" in choice else 0.08  # seconds, about those of an epoch
    delay = generator.uniform(0, 2.5 if starting else within)
    process = start(run, choice)
    while epochs_done(run) < least and process.poll() is None:
        time.sleep(0.002)
    try:
        process.communicate(timeout=delay)
        return "after its end"
    except subprocess.TimeoutExpired:
        victim = kill_one(process, generator)
    return f"{victim}after epoch {epochs_done(run)}"


def kill_one(process: subprocess.Popen, generator: random.Random) -> str:
    """Kill a run's process, or one of its ranks; return which, if it has ranks.

    Raises RuntimeError if one of the processes is alive 30 seconds later.
    """
    ranks = ranks_of(process.pid)
    victim = generator.choice([process.pid, *ranks])
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    process.communicate(timeout=GONE)
    until = time.monotonic() + GONE
    while left := [one for one in ranks if is_running(one)]:
        if time.monotonic() > until:
            raise RuntimeError(f"{len(left)} processes of a run are alive after one was killed")
        time.sleep(0.05)
    if not ranks:
        return ""
    return "the parent " if victim == process.pid else f"rank {ranks.index(victim)} "


def ranks_of(process: int) -> list[int]:
    """Return the processes that train for a run: the children of its fork server, oldest first."""
    own = children(process)
    return [one for server in own for one in children(server)]


def children(process: int) -> list[int]:
    """Return the processes that a process has started, oldest first (Linux)."""
    found = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return sorted(found)


def is_running(process: int) -> bool:
    """Return whether a process exists and is not only waiting to be collected by its parent."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def total(choice: list[str]) -> int:
    """Return the number of epochs of a run, over all folds."""
    values = dict(override.split("=", 1) for override in choice)
    return int(values["max_epochs"]) * int(values.get("split.folds", 1))


def epochs_done(run: Path) -> int:
    """Return the number of recorded epochs, over all folds."""
    return sum(len(path.read_text().splitlines()) for path in run.rglob("history.jsonl"))


def ends(run: Path) -> dict[str, object]:
    """Return the checkpoints and histories of a run without times, as values to compare."""
    import torch

    found: dict[str, object] = {}

    def take(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key not in TIMES:
                    take(f"{name}/{key}", inner)
        elif isinstance(value, list | tuple):
            for place, inner in enumerate(value):
                take(f"{name}/{place}", inner)
        elif isinstance(value, torch.Tensor):
            found[name] = value.contiguous().numpy().tobytes()
        else:
            found[name] = value

    for path in sorted(run.rglob("*.pt")):
        take(str(path.relative_to(run)), torch.load(path, weights_only=True))
    for path in sorted(run.rglob("history.jsonl")):
        lines = path.read_text().splitlines()
        take(str(path.relative_to(run)), [json.loads(line) for line in lines])
    return found


if __name__ == "__main__":
    with one_message():
        main()
