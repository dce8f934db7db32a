"""The observer in a job that reports every epoch to the sweep."""

from math import ceil
from multiprocessing.connection import Connection

from dlcourse.core import Fold, Observer, Recipe, State
from dlcourse.errors import PrunedError


class Reporter(Observer):
    """Sends the monitored metric to the sweep after every epoch.

    In cross-validation, epochs are counted through all folds. pruned: wait for an answer after
    every epoch, and raise PrunedError if it is False.
    """

    def __init__(self, sweep: Connection, *, pruned: bool) -> None:
        self.sweep, self.pruned = sweep, pruned

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe = recipe
        number = fold.name.removeprefix("fold")
        self.epochs_before = int(number) * ceil(recipe.max_epochs) if number.isdecimal() else 0

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        value = record.metrics[self.recipe.monitor]
        self.sweep.send(("epoch", self.epochs_before + record.epoch, value))
        if self.pruned and not self.sweep.recv():
            raise PrunedError(f"pruned after epoch {record.epoch}")
