"""history.jsonl, for scripts."""

from pathlib import Path

from dlcourse import atomic_files
from dlcourse.core import Fold, Observer, Recipe, Record, State


class History(Observer):
    """Writes one line of JSON an epoch: ``{"epoch": 1, "train/loss": ..., "val/loss": ...}``.

    A metric that is undefined in an epoch is null.

    At the start the file is brought in line with the restored state, so that an epoch which was
    written down but not kept in the checkpoint does not stand there twice.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "history.jsonl"

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        atomic_files.write_text(self.path, "".join(map(json_line, state.history)))

    def epoch(self, state: State) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json_line(state.history[-1]))


def json_line(record: Record) -> str:
    """Return a record as a line of JSON."""
    return atomic_files.to_json({"epoch": record.epoch, **record.metrics}) + "\n"
