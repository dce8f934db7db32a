"""The history of a run as a file of JSON lines."""

from pathlib import Path

from dlcourse import atomic_files
from dlcourse.core import Fold, Observer, Recipe, Record, State
from dlcourse.schema.run_files import HISTORY


class History(Observer):
    """Writes ``history.jsonl`` with one JSON object per epoch.

    A line is ``{"epoch": 1, "train/loss": ..., "val/loss": ...}``; a metric that is undefined in an
    epoch is null. At the start the file is rewritten from the restored state, so that an epoch that
    was written but is not in the checkpoint does not appear twice.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / HISTORY

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        atomic_files.write_text(self.path, "".join(map(record_line, state.history)))

    def epoch(self, state: State) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(record_line(state.history[-1]))


def record_line(record: Record) -> str:
    """Return a record as a line of JSON."""
    return atomic_files.to_json({"epoch": record.epoch, **record.metrics}) + "\n"
