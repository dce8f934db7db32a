"""The history of a run as a file of JSON lines."""

from pathlib import Path

from dlcourse import atomic_files
from dlcourse.core import Fold, Observer, Recipe, Record, State
from dlcourse.observe.growing_file import GrowingFile
from dlcourse.schema.run_files import HISTORY


class History(Observer):
    """Writes ``history.jsonl`` with one JSON object per epoch.

    A line is ``{"epoch": 1, "train/loss": ..., "val/loss": ...}``; a metric that is undefined in an
    epoch is null. At the start the file is rewritten from the restored state, so that an epoch that
    was written but is not in the checkpoint does not appear twice. A line that cannot be written
    follows later; see ``GrowingFile``.
    """

    def __init__(self, folder: Path) -> None:
        self.file = GrowingFile(folder / HISTORY)

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.file.replace("".join(map(record_line, state.history)).encode())

    def epoch(self, state: State) -> None:
        self.file.append(record_line(state.history[-1]).encode())

    def close(self) -> None:
        self.file.flush()


def record_line(record: Record) -> str:
    """Return a record as a line of JSON."""
    return atomic_files.to_json({"epoch": record.epoch, **record.metrics}) + "\n"
