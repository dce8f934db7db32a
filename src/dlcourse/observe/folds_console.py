"""The output of folds that are trained together: one line per epoch for all of them."""

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from dlcourse.core import Fold, Recipe, Record, State, scores
from dlcourse.observe.console import EVERY_EPOCH_UP_TO, PRINT_INTERVAL, UNLIMITED, Console, log
from dlcourse.observe.epoch_line import epoch_line
from dlcourse.terminal.live_line import bar, columns, duration, fitting, live


class FoldConsole(Console):
    """The console of one fold among several that are trained together.

    Its epochs are written to train.log, and shown by the screen that all folds share; its result
    is printed as usual.
    """

    def __init__(self, folder: Path, screen: "FoldsScreen") -> None:
        super().__init__(folder)
        self.screen, self.quiet, self.ended = screen, False, False
        screen.consoles.append(self)

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.quiet = True
        super().start(state, recipe, fold)
        self.ended = has_ended(state, recipe)

    def show_progress(self) -> None:
        """Leave the live line to the screen."""

    def epoch(self, state: State) -> None:
        super().epoch(state)
        self.ended = has_ended(state, self.recipe)
        self.screen.epoch(self, state.history[-1])

    def print_line(self, record: Record, best: bool) -> None:
        """Leave an epoch's line to the screen."""
        self.printed = record.epoch

    def finish(self, state: State, result: dict) -> None:
        self.screen.close()
        self.quiet, self.printed = False, len(state.history)
        self.say(f"\n{self.trained.name} ({self.fold.strip()})")
        super().finish(state, result)

    def close(self) -> None:
        super().close()
        self.screen.close()

    def say(self, text: str) -> None:
        if self.quiet:
            log.info(text.strip())
        else:
            super().say(text)


class FoldsScreen:
    """Prints the mean over folds that are trained together, once each of them has an epoch more.

    consoles: those of the folds; empty for a run without a console, which prints nothing.
    """

    def __init__(self) -> None:
        self.consoles: list[FoldConsole] = []
        self.reported: dict[FoldConsole, Record] = {}
        self.below = ExitStack()  # the live line
        self.started = self.last = 0.0

    def open(self, folds: Sequence[Fold], epochs: Sequence[int]) -> None:
        """Print the sizes of the folds and the epochs that are done; show the live line."""
        if not self.consoles:
            return
        say = self.consoles[0].say
        say(f"\n{folds_text(len(folds))} together: {sizes(folds)}")
        if resumed := [done for done in epochs if done]:
            s = "s" * (len(resumed) == 1)
            say(f"{folds_text(len(resumed))} resume{s} after epoch {span(resumed)}")
        self.started = self.last = time.monotonic()
        self.below.enter_context(live(self.progress))

    def epoch(self, console: FoldConsole, record: Record) -> None:
        """Take a fold's epoch; print a line if all folds that are still training have reported."""
        if console in self.reported:  # a fold has ended without an epoch, as one that diverged
            self.print_line()
        self.reported[console] = record
        if all(one.ended or one in self.reported for one in self.consoles):
            self.print_line()

    def print_line(self) -> None:
        """Print the mean of the epochs that were reported; in long runs not for each of them."""
        records, self.reported = list(self.reported.values()), {}
        first, last = self.consoles[0], max(record.epoch for record in records)
        few = first.recipe.max_epochs <= EVERY_EPOCH_UP_TO or last == 1
        if not few and time.monotonic() - self.last < PRINT_INTERVAL:
            return
        self.last = time.monotonic()
        shown = [key for key in records[0].metrics if key.startswith(("train/", "val/"))]
        line = epoch_line(
            f"{first.label(last)}  {folds_text(len(records))}",
            {key: sum(record.metrics[key] for record in records) / len(records) for key in shown},
            first.recipe.monitor,
            best=False,
            width=columns() if first.terminal else UNLIMITED,
            more=[] if first.terminal else [self.left()],
        )
        print(line, flush=True)

    def close(self) -> None:
        """Print what is left, and remove the live line."""
        if self.reported:
            self.print_line()
        self.below.close()

    def progress(self, width: int) -> str:
        """Return the live line: ``epoch 13/50  5 folds  ━━━━────  12 s left``."""
        started = [one for one in self.consoles if hasattr(one, "recipe")]
        training = [one for one in started if not one.ended] or started
        if not training:
            return "first step"
        total = training[0].recipe.max_epochs
        done = sum(one.done for one in training) / len(training)
        epoch = min(math.floor(done) + 1, math.ceil(total))
        parts = [
            training[0].label(epoch),
            folds_text(len(training)),
            bar(done / total),
            self.left(),
        ]
        return fitting([part for part in parts if part], width)

    def left(self) -> str:
        """Return the estimated time until ``max_epochs`` of the folds that are still training."""
        started = [one for one in self.consoles if hasattr(one, "recipe")]
        done = sum(one.done - one.before for one in started)
        rest = sum(one.recipe.max_epochs - one.done for one in started if not one.ended)
        if done <= 0:
            return ""
        return f"{duration((time.monotonic() - self.started) / done * max(rest, 0.0))} left"


def sizes(folds: Sequence[Fold]) -> str:
    """Return the numbers of examples: ``1,149 to 1,150 train, 287 to 288 val``."""
    train = span([len(fold.train) for fold in folds])
    val = [len(fold.val) for fold in folds if fold.val is not None]
    return f"{train} train, {span(val)} val" if val else f"{train} train"


def folds_text(folds: int) -> str:
    """Return ``1 fold`` or ``5 folds``."""
    return f"{folds} fold{'s' * (folds != 1)}"


def span(numbers: Sequence[int]) -> str:
    """Return ``287`` or ``287 to 288``, the smallest and the largest number."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def has_ended(state: State, recipe: Recipe) -> bool:
    """Return whether a fold has trained all its epochs or has stopped early."""
    past = scores(state.history, recipe.monitor, recipe.mode)
    return len(past) >= recipe.max_epochs or recipe.stop(past)
