"""Kill runs at random moments, resume them, and compare their ends bit by bit.

    python scripts/kill_drill.py [runs=20] [folder=<new folder>] [seed=0]

Every second run is a cross-validation, and some are killed twice. A run that was not disturbed is
compared with each: weights, optimizer and history (times aside) must be the same to the last bit.
Ends with status 1 if one differs.
"""

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dlcourse.command import arguments, one_message

TRAIN = Path(__file__).parents[1] / "train.py"
COMMON = ["optim=adam", "stop=never", "model.dropout=0.2", "augment=[noise]", "schedule=plateau",
          "schedule.patience=1"]  # fmt: skip
PLAIN = ["model=lenet", "max_epochs=25", *COMMON]
FOLDS = ["model=mlp", "max_epochs=20", "split=stratified_kfold", "split.folds=3", *COMMON]
TIMES = ("seconds", "examples_per_second")


def main() -> None:
    """Read the words, run undisturbed, then disturb."""
    words = arguments(sys.argv[1:], {"runs": "20", "folder": "", "seed": "0"}, __doc__)
    folder = Path(words["folder"] or tempfile.mkdtemp(prefix="kill_drill-"))
    folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(int(words["seed"]))
    kinds = {"plain": PLAIN, "folds": FOLDS}
    whole, seconds = {}, {}
    for kind, choice in kinds.items():
        begun = time.monotonic()
        train(folder / kind, choice)
        seconds[kind] = time.monotonic() - begun
        whole[kind] = ends(folder / kind)
    equal = 0
    runs = int(words["runs"])
    for number in range(runs):
        kind = ("plain", "folds")[number % 2]
        run = folder / f"run{number}"
        moments = [
            disturb(run, kinds[kind], generator.uniform(1.0, seconds[kind]))
            for _ in range(generator.choice([1, 1, 2]))
        ]
        train(run, kinds[kind])
        same = ends(run) == whole[kind]
        equal += same
        print(f"{number + 1:3}/{runs} {kind:5} killed {', '.join(moments)}: "
              f"{'equal' if same else 'DIFFERENT'}", flush=True)  # fmt: skip
        if same:
            shutil.rmtree(run)
    print(f"{equal} of {runs} runs ended bitwise like the undisturbed one")
    if not words["folder"] and equal == runs:
        shutil.rmtree(folder)
    if equal < runs:
        sys.exit(1)


def start(run: Path, choice: list[str]) -> subprocess.Popen:
    """Start a run, or go on with the one that is there."""
    there = (run / ".hydra/config.yaml").exists()
    words = [f"resume={run}"] if there else [*choice, f"hydra.run.dir={run}"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, str(TRAIN), *words], **silent)


def train(run: Path, choice: list[str]) -> None:
    """Train to the end."""
    process = start(run, choice)
    _, message = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(message.decode())


def disturb(run: Path, choice: list[str], after: float) -> str:
    """Start or go on, kill after so many seconds, and say when that was."""
    process = start(run, choice)
    try:
        process.wait(after)
        return "after its end"
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    epochs = sum(len(p.read_text().splitlines()) for p in run.rglob("history.jsonl"))
    return f"at {after:.2f} s, {epochs} epochs done"


def ends(run: Path) -> dict[str, object]:
    """Return all that a run ended with, as bytes and numbers that can be compared."""
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
