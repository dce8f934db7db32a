"""The output of a run on the terminal."""

import logging
import math
import textwrap
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from dlcourse.core import Fold, Observer, Recipe, Record, State, best_epoch
from dlcourse.guard import guarded
from dlcourse.observe.epoch_line import epoch_line, number
from dlcourse.observe.findings import findings_of
from dlcourse.terminal.live_line import bar, columns, duration, fitting, live, on_terminal

EVERY_EPOCH_UP_TO = 100  # a run of up to this many epochs prints a line for each of them
PRINT_INTERVAL = 0.2  # seconds between two lines of a longer run, at least
LONG_EPOCH = 30.0  # seconds between two lines within an epoch, without a terminal
UNLIMITED = 1000  # columns, without a terminal

log = logging.getLogger(__name__)


class Console(Observer):
    """Prints the facts of a run, one line per epoch, and its result.

    The line of the best epoch so far ends in ``*``. On a terminal, a progress bar below shows the
    time left until ``max_epochs``; early stopping is not taken into account. Runs of more than 100
    epochs print at most five lines per second. ``train.log`` has a line for every epoch.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.terminal = on_terminal()
        self.below = ExitStack()  # the live line
        self.fold = ""

    def introduce(self, facts: Mapping[str, str], fold: int, folds: int) -> None:
        self.say_facts(facts)
        self.fold = f"fold {fold}/{folds}  " if folds > 1 else ""

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe, self.trained = recipe, fold
        if fold.name != ".":
            val = f", {len(fold.val):,} val" if fold.val is not None else ""
            self.say(f"\n{fold.name} ({self.fold.strip()}): {len(fold.train):,} train{val}")
        if state.history:
            self.say(f"resumes after epoch {len(state.history)}")
        self.started = self.last = time.monotonic()
        self.before = self.done = float(len(state.history))  # epochs, the last one in part
        self.best = best_of(state.history, recipe)
        self.printed, self.phase = len(state.history), "first step"
        self.show_progress()

    def show_progress(self) -> None:
        """Show the live line until ``close``."""
        self.below.enter_context(live(self.progress))

    def watch(self, batches: Iterable, count: int) -> Iterable:
        """Count the batches; nothing is read from the device."""
        before = self.done = math.floor(self.done)
        for position, batch in enumerate(batches):
            yield batch
            self.done = before + (position + 1) / count
            self.phase = ""
            if not self.terminal and time.monotonic() - self.last > LONG_EPOCH:
                self.last = time.monotonic()
                self.say(f"{self.label(before + 1)}  {self.done - before:.0%}  {self.left()}")
        self.phase = "validating"

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        self.done, self.phase = float(record.epoch), ""
        if best := record.epoch == best_of([*self.best, record], self.recipe)[0].epoch:
            self.best = [record]
        log.info("%s", self.line(record, best, UNLIMITED))
        few = self.recipe.max_epochs <= EVERY_EPOCH_UP_TO
        if few or record.epoch == 1 or time.monotonic() - self.last >= PRINT_INTERVAL:
            self.print_line(record, best)

    def print_line(self, record: Record, best: bool) -> None:
        """Print an epoch's line."""
        self.last, self.printed = time.monotonic(), record.epoch
        print(self.line(record, best, columns() if self.terminal else UNLIMITED), flush=True)

    def line(self, record: Record, best: bool, width: int) -> str:
        """Return an epoch's line, ``epoch 12/50  train loss 0.0458 accuracy 0.9874  ...``."""
        more = [f"{record.metrics['examples_per_second']:,.0f} examples/s"]
        if not self.terminal:
            more.append(self.left())
        return epoch_line(
            self.label(record.epoch), record.metrics, self.recipe.monitor,
            best=best, width=width, more=more,
        )  # fmt: skip

    def finish(self, state: State, result: dict) -> None:
        self.close()
        last, monitor = state.history[-1], result["monitor"]
        if self.printed < last.epoch:
            self.print_line(last, result["best_epoch"] == last.epoch)
        width = columns() if self.terminal else UNLIMITED
        if last.epoch < self.recipe.max_epochs and result.get("ended_by", "stop") == "stop":
            options = getattr(self.recipe.stop, "keywords", {})
            waited = options.get("patience") or last.epoch - result["best_epoch"]
            if "value" in options:
                self.say(f"stopped early: {monitor} has reached {options['value']:g}")
            else:
                self.say(f"stopped early: no improvement for {waited} epoch{'s' * (waited != 1)}")
        if result.get("ended_by") == "max_time":
            self.say(f"ended by max_time, after epoch {last.epoch} of {self.recipe.max_epochs:g}")
        best = f"{monitor} {number(result['best']).strip()}"
        self.say(f"best epoch {result['best_epoch']} of {last.epoch}  {best}")
        test = [f"{name} {number(value).strip()}" for name, value in result["test"].items()]
        metric = monitor.partition("/")[2]
        test.sort(key=lambda part: not part.startswith((f"{metric} ", "loss ")))
        self.say(fitting([f"test {test[0]}", *test[1:]], width))
        with guarded("Reading the curves in words"):
            steps = self.recipe.steps(len(self.trained.train))
            for finding in findings_of(self.folder, state, self.trained, steps, result):
                self.say(f"note: {finding}")

    def close(self) -> None:
        self.below.close()

    def progress(self, width: int) -> str:
        """Return the live line: ``epoch 13/50  ━━━━────  12 s left``."""
        total = self.recipe.max_epochs
        now = self.label(min(math.floor(self.done) + 1, math.ceil(total)))
        seconds = time.monotonic() - self.last
        waits = f"{self.phase} {seconds:.0f} s" if self.phase and seconds > 1 else ""
        parts = [self.fold + now, waits, self.left(), bar(self.done / total)]
        label, waits, left, shown = parts
        return fitting([part for part in (label, shown, left, waits) if part], width)

    def left(self) -> str:
        """Return the estimated time of the remaining epochs, from the epochs of this session."""
        done = self.done - self.before
        rest = self.recipe.max_epochs - self.done
        if done <= 0:
            return ""
        return f"{duration((time.monotonic() - self.started) / done * max(rest, 0.0))} left"

    def label(self, epoch: int) -> str:
        """Return ``epoch  3/50``; with 9.9 epochs the last one is the tenth."""
        last = math.ceil(self.recipe.max_epochs)
        return f"epoch {epoch:{len(str(last))}}/{last}"

    def say_facts(self, facts: Mapping[str, str]) -> None:
        """Print the facts of the run, one per line."""
        indent = max(map(len, facts), default=0) + 2
        width = max(columns() - 1, indent + 10) if self.terminal else UNLIMITED
        for name, value in facts.items():
            lines = textwrap.wrap(
                f"{name:{indent}}{value}", width, subsequent_indent=" " * indent,
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
            self.say("\n".join(lines))

    def say(self, text: str) -> None:
        """Print a line and write it to train.log."""
        log.info(text.strip())
        print(text, flush=True)


def best_of(history: list[Record], recipe: Recipe) -> list[Record]:
    """Return a list of the best epoch so far, or an empty list."""
    if not history:
        return []
    best = best_epoch(history, recipe.monitor, recipe.mode)
    return [record for record in history if record.epoch == best]
