"""Tells the sweep how a job gets on, epoch by epoch."""

from math import ceil
from multiprocessing.connection import Connection

from dlcourse.core import Fold, Observer, Recipe, State
from dlcourse.errors import PrunedError


class Reporter(Observer):
    """Sends the monitored figure after every epoch.

    pruned: wait for an answer each time, and end the run by PrunedError where it is no.
    """

    def __init__(self, sweep: Connection, *, pruned: bool) -> None:
        self.sweep, self.pruned = sweep, pruned

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe = recipe
        number = fold.name.removeprefix("fold")
        self.before = int(number) * ceil(recipe.max_epochs) if number.isdecimal() else 0

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        figure = record.metrics[self.recipe.monitor]
        self.sweep.send(("epoch", self.before + record.epoch, figure))
        if self.pruned and not self.sweep.recv():
            raise PrunedError(f"pruned after epoch {record.epoch}")
