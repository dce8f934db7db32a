"""The parts of the drill, each with its lines of the score."""

import os
import random
from pathlib import Path

from drill.faults import DEATH, FAULTS
from drill.forks import share_memory_with_forks
from drill.kills import Score, Whole, drill_controls, drill_kills, train_whole
from drill.kinds import KINDS, TINY, compose_kind, warm_up
from drill.moments import NAMES
from drill.operations import FaultScore, drill_operations
from drill.processes import Command, ProcessScore, drill_processes

MOST_CONTROLS = 20
WORDS = {DEATH: "deaths"}
OPERATIONS = {
    "a run": ("max_epochs=2",),
    "a run of two folds": ("max_epochs=1", "split=kfold", "split.folds=2"),
}
SWEEP = (
    "optim=sgd,adam", "optim.lr=0.1,0.01", "seeds=3", "max_epochs=100", "workers=2",
)  # fmt: skip
SWEEP_JOBS, SWEEP_EPOCHS, RANK_EPOCHS = 12, 100, 100


class Drill:
    """Runs the parts of the drill in a folder.

    lines: the score so far. wrong: what went wrong; empty if all is as it must be.
    """

    def __init__(self, folder: Path, generator: random.Random) -> None:
        self.folder, self.generator = folder, generator
        self.data = Path(os.environ.get("DLCOURSE_DATA") or folder / "data").absolute()
        self.lines: list[str] = []
        self.wrong: list[str] = []
        warm_up(compose_kind("warm", ("max_epochs=1",), self.data), folder / "warm")
        share_memory_with_forks()

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, flush=True)

    def kill_runs(self, kills: int) -> None:
        """Kill and resume runs of all kinds, and the controls."""
        wholes = {
            name: train_whole(compose_kind(name, more, self.data), self.folder / f"whole {name}")
            for name, more in KINDS.items()
        }
        score = drill_kills(wholes, kills, self.generator, self.folder)
        for line in table(score, list(wholes)):
            self.say(line)
        self.lines.append(
            f"{score.equal} of {score.runs} killed and resumed runs bitwise equal, {score.lost} "
            f"lost; {score.kills} SIGKILLs, {score.twice} runs killed twice"
        )
        self.wrong += score.kept
        self.control(wholes, min(MOST_CONTROLS, -(-kills // 5)))

    def control(self, wholes: dict[str, Whole], runs: int) -> None:
        """Run the controls, which must differ."""
        for name, differ in drill_controls(wholes, runs, self.generator, self.folder):
            line = f"control without {name}: {differ} of {runs} differ"
            self.lines.append(line + (", as they must" if differ == runs else ""))
            if differ < runs:
                self.wrong.append(line)

    def fail_operations(self, every: int) -> None:
        """Let file operations die and fail."""
        score = FaultScore()
        for name, more in OPERATIONS.items():
            place = self.folder / name.replace(" ", "_")
            count = drill_operations(compose_kind(name, more, self.data), every, place, score)
            self.say(f"{name}: {count} file operations")
        each = [
            f"{score.equal[fault]} of {score.runs[fault]} {WORDS.get(fault, fault)}"
            for fault in FAULTS
        ]
        self.lines.append(
            f"{', '.join(each)} end with the old or the new checkpoint and resume bitwise equal"
        )
        for fault, operations in score.tracebacks.items():
            self.lines.append(f"{len(operations)} {fault} ended in a traceback: {operations[0]} …")
            for operation in operations:
                self.say(f"traceback: {operation}")
        self.wrong += score.kept

    def kill_sweeps(self, kills: int) -> None:
        """Kill and resume sweeps."""
        overrides = [f"data.root={self.data}", *self.tiny("optim"), *SWEEP]
        command = Command("sweep", ["-m", *overrides], "hydra.sweep.dir", SWEEP_JOBS * SWEEP_EPOCHS)
        self.report(
            drill_processes(command, kills, self.generator, self.folder / "sweeps"), command
        )

    def kill_ranks(self, kills: int, ranks: int) -> None:
        """Kill and resume runs on several ranks."""
        more = [f"runtime.devices={ranks}", f"max_epochs={RANK_EPOCHS}", f"data.root={self.data}"]
        command = Command("run", [*TINY, *more], "hydra.run.dir", RANK_EPOCHS)
        score = drill_processes(command, kills, self.generator, self.folder / "ranks")
        self.report(score, command, f" on {ranks} ranks")

    def tiny(self, *without: str) -> list[str]:
        """Return the overrides of a tiny run without those of some keys."""
        return [text for text in TINY if text.split("=")[0] not in without]

    def report(self, score: ProcessScore, command: Command, more: str = "") -> None:
        """Add the score of killed sweeps or runs on several ranks."""
        victims = ", ".join(f"{count} of {victim}" for victim, count in score.victims.items())
        self.lines.append(
            f"{score.equal} of {score.commands} killed and resumed {command.name}s{more} bitwise "
            f"equal; {score.kills} SIGKILLs: {victims}"
        )
        self.wrong += score.kept


def table(score: Score, kinds: list[str]) -> list[str]:
    """Return the number of kills by moment and kind of run."""
    lines = [f"{'SIGKILLs':28}" + "".join(f"{kind:>10}" for kind in kinds)]
    for moment, text in NAMES.items():
        counts = [score.moments[kind, moment] for kind in kinds]
        lines.append(f"{text:28}" + "".join(f"{count:10}" for count in counts))
    lines.append(f"{score.partial} of the SIGKILLs left a temporary file, removed on resume")
    return lines
