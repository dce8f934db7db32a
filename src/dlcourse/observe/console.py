"""What a person sees while a run goes on."""

import logging
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlcourse.core import Fold, Observer, Recipe, State

REFRESH = 0.1  # seconds between two movements of the bar

log = logging.getLogger(__name__)


class Console(Observer):
    """Shows a progress bar on a terminal and prints a line an epoch elsewhere.

    Either way every epoch's line goes to ``train.log`` as well. The time left is that to
    ``max_epochs``; early stopping may end the run before.
    """

    def __init__(self, folder: Path) -> None:
        self.bar: Any = None  # rich's Progress, on a terminal

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe = recipe
        self.name = "" if fold.name == "." else f"{fold.name} "
        if state.history:
            self.say(f"{self.name}goes on after epoch {len(state.history)}")
        if sys.stdout.isatty():
            self.bar = make_bar()
            self.bar.start()
            self.task = self.bar.add_task(
                self.label(len(state.history)),
                total=recipe.max_epochs,
                completed=len(state.history),
                figures="",
            )

    def watch(self, batches: Iterable, count: int) -> Iterable:
        return batches if self.bar is None else self.advance(batches, count)

    def advance(self, batches: Iterable, count: int) -> Iterable:
        """Hand on the batches and move the bar now and then; nothing is read from the device."""
        done, shown = self.bar.tasks[self.task].completed, time.monotonic()
        for number, batch in enumerate(batches):
            yield batch
            if time.monotonic() - shown > REFRESH:
                shown = time.monotonic()
                self.bar.update(self.task, completed=done + (number + 1) / count)

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        figures = {
            name: record.metrics[name]
            for name in ("train/loss", "val/loss", self.recipe.monitor)
            if name in record.metrics
        }
        words = "  ".join(f"{name} {figure:.4f}" for name, figure in figures.items())
        speed = f"{record.metrics['examples_per_second']:,.0f} examples/s"
        log.info("%s  %s  %s", self.label(record.epoch), words, speed)
        if self.bar is None:
            left = max(0.0, self.recipe.max_epochs - record.epoch) * record.metrics["seconds"]
            line = f"{self.label(record.epoch)}  {words}  {speed}  {left:.0f} s left"
            print(line, flush=True)
        else:
            self.bar.update(
                self.task,
                completed=record.epoch,
                description=self.label(record.epoch),
                figures=f"{words}  {speed}",
            )

    def finish(self, state: State, result: dict) -> None:
        self.close()
        test = "  ".join(f"test/{name} {figure:.4f}" for name, figure in result["test"].items())
        self.say(
            f"{self.name}best epoch {result['best_epoch']} of {result['epochs']}: "
            f"{result['monitor']} {result['best']:.4f}  {test}"
        )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def label(self, epoch: int) -> str:
        """Return ``fold0 epoch  3/50``; with 9.9 epochs the last one is the tenth."""
        last = math.ceil(self.recipe.max_epochs)
        return f"{self.name}epoch {epoch:{len(str(last))}}/{last}"

    @staticmethod
    def say(line: str) -> None:
        """Print a line and put it into train.log."""
        log.info(line)
        print(line, flush=True)


def make_bar() -> Any:
    """Return a progress bar with a label before it, figures and the time left behind it."""
    from rich.console import Console as Screen  # 0.07 s, and only on a terminal
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
        console=Screen(),
    )
