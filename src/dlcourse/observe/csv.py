"""The metrics of a run as a table, for spreadsheets and pandas."""

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

from dlcourse.core import Fold, Observer, Recipe, Record, State
from dlcourse.observe.growing_file import GrowingFile
from dlcourse.schema.run_files import METRICS_TABLE


class Csv(Observer):
    """Writes ``metrics.csv`` with one row per epoch and one column per metric.

    Columns have the order in which their metrics appear first; a metric that appears later gets a
    column at the end, empty in the rows before. An undefined metric is an empty cell. At the start
    the file is rewritten from the restored state, so that a resumed run has each epoch once.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / METRICS_TABLE
        self.file = GrowingFile(self.path)
        self.columns: list[str] = []

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        if state.history:
            self.rewrite(state.history)
        else:
            self.path.unlink(missing_ok=True)

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        if not set(record.metrics) <= set(self.columns) or not self.path.exists():
            self.rewrite(state.history)
            return
        self.file.append(epoch_rows([record], self.columns).encode())

    def rewrite(self, history: Iterable[Record]) -> None:
        """Write the whole table, with the columns of all its metrics."""
        history = list(history)
        self.columns = list(dict.fromkeys(name for record in history for name in record.metrics))
        header = comma_separated([["epoch", *self.columns]])
        self.file.replace((header + epoch_rows(history, self.columns)).encode())

    def close(self) -> None:
        self.file.flush()


def epoch_rows(history: Iterable[Record], columns: list[str]) -> str:
    """Return records as lines of CSV with these columns after the epoch."""
    return comma_separated(
        [record.epoch, *(as_cell(record.metrics.get(name)) for name in columns)]
        for record in history
    )


def as_cell(value: float | None) -> float | str:
    """Return a metric as a cell: empty if there is none or it is undefined."""
    return "" if value is None or math.isnan(value) else value


def comma_separated(table: Iterable[list]) -> str:
    """Return rows of cells as CSV, each with a line feed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()
