"""The line that a notebook shows while a run trains, or a sweep's runs do."""

from importlib import import_module
from io import TextIOBase
from pathlib import Path
from typing import Any

from dlcourse.core import Fold, Observer, Recipe, State, best_epoch
from dlcourse.observe.epoch_line import epoch_line, number
from dlcourse.terminal.installed import short_path

CONSOLE_WIDTH = 200  # columns


class NotebookLine(Observer):
    """An observer that shows the last epoch's metrics in one output, updated in place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.line = Output()

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe = recipe
        self.fold = "" if fold.name == "." else f"{fold.name}  "
        self.line.show(f"{self.fold}epoch 0/{recipe.max_epochs:g}")

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        best = best_epoch(state.history, self.recipe.monitor, self.recipe.mode) == record.epoch
        label = f"{self.fold}epoch {record.epoch}/{self.recipe.max_epochs:g}"
        more = [f"{record.metrics['examples_per_second']:,.0f} examples/s"]
        self.line.show(
            epoch_line(
                label,
                record.metrics,
                self.recipe.monitor,
                best=best,
                width=CONSOLE_WIDTH,
                more=more,
            )
        )

    def finish(self, state: State, result: dict) -> None:
        metric = result["monitor"].partition("/")[2]
        test = result["test"].get(metric)
        tested = f"  test {metric} {number(test).strip()}" if test is not None else ""
        self.line.show(
            f"{self.fold}best epoch {result['best_epoch']} of {result['epochs']}  "
            f"{result['monitor']} {number(result['best']).strip()}{tested}  "
            f"in {short_path(self.folder)}"
        )


class LastLine(TextIOBase):
    """A stream that shows the last job's line, ``[3/6] optim=sgd  done ...``, in one output."""

    def __init__(self) -> None:
        self.line = Output()
        self.rest = ""

    def write(self, text: str) -> int:
        """Show the last job's line that a text completes; return the text's length."""
        *lines, self.rest = (self.rest + text).split("\n")
        jobs = [line for line in lines if line.startswith("[")]
        if jobs:
            self.line.show(jobs[-1])
        return len(text)


class Output:
    """One output of a notebook that is updated in place."""

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, text: str) -> None:
        """Show a text in place of the one before."""
        plain = {"text/plain": text}
        if self.handle is None:
            display = import_module("IPython.display").display
            self.handle = display(plain, raw=True, display_id=True)
        else:
            self.handle.update(plain, raw=True)
