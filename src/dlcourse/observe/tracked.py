"""An observer that records a run in an experiment tracker, which has a process of its own."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcourse.core import AllFolds, Fold, Observer, Recipe, State
from dlcourse.schema.run_files import BEST_WEIGHTS, CONFIG, PLOTS, RESULT
from dlcourse.terminal.live_line import working
from dlcourse.tracking.description import describe
from dlcourse.tracking.process import TrackerProcess, process_of

log = logging.getLogger(__name__)

STORES = "outputs"  # the folder of the trackers' stores, unless the run is in one of this name


class Tracked(Observer):
    """Sends the config, the metrics of each epoch, the result and the files of a run to a tracker.

    Training never waits for the tracker: its process gets messages, and only ``close`` waits, at
    most ``patience`` seconds. What fails there is raised here at the next message, so that the
    observer is dropped with one warning.

    library: wandb, mlflow or aim. weights: whether to send the best weights as well. options: the
    library's own.
    """

    def __init__(
        self, folder: Path, library: str, *, weights: bool, patience: float, **options: Any
    ) -> None:
        self.folder, self.library = folder, library
        self.weights, self.patience, self.options = weights, patience, options
        self.status = "interrupted"
        self.process: TrackerProcess | None = None

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.open([{"epoch": one.epoch, **one.metrics} for one in state.history])

    def open(self, history: Sequence[dict[str, float]]) -> None:
        """Open the run in the tracker, new or again. history: its epochs so far."""
        description = describe(self.folder)
        options = {**self.options, "store": str(store_of(self.folder))}
        self.process = process_of(self.library)
        self.number = self.process.open(
            {"description": description.as_message(), "options": options, "history": history}
        )

    def send(self, do: str, **content: Any) -> None:
        """Send a message; log what the tracker has warned of since the last one."""
        if self.process is not None:
            self.say_warnings()
            self.process.send(self.number, do, **content)

    def say_warnings(self) -> None:
        """Log the tracker's new warnings."""
        assert self.process is not None
        for text in self.process.warnings(self.number):
            log.warning("%s", text)

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        self.send("epoch", epoch=record.epoch, metrics=record.metrics)

    def diverged(self, state: State) -> None:
        self.status = "diverged"

    def finish(self, state: State, result: dict) -> None:
        self.status = "finished"
        self.send("summarize", values=result_numbers(result))

    def finish_folds(self, folds: AllFolds) -> None:
        self.open([])
        self.finish(State.__new__(State), folds.result)

    def close(self) -> None:
        """Send the files that exist now, and wait for the tracker."""
        if self.process is None:
            return
        process, self.process = self.process, None
        try:
            process.send(self.number, "close", status=self.status, files=self.files())
        finally:
            with working(f"{self.library} is finishing"):
                process.wait(self.number, self.patience)

    def files(self) -> list[str]:
        """Return the names of the files to send, in the folder of the run."""
        if self.status == "interrupted":
            return []
        plots = sorted((self.folder / PLOTS).glob("*.png"))
        names = [f"{PLOTS}/{path.name}" for path in plots]
        return [*names, RESULT, CONFIG, *([BEST_WEIGHTS] if self.weights else [])]


def result_numbers(result: dict) -> dict[str, float]:
    """Return the numbers of a result: ``best/<monitor>``, ``best_epoch`` and the test metrics.

    Of a cross-validation they are the mean and the standard deviation of every metric.
    """
    found = {f"best/{result['monitor']}": result["best"], "best_epoch": result.get("best_epoch")}
    for part in ("test", "mean", "std"):
        found |= {f"{part}/{name}": value for name, value in result.get(part, {}).items()}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def store_of(folder: Path) -> Path:
    """Return the folder of the trackers' stores: the one named outputs that holds the run.

    For a run in another place it is ``outputs`` in the current folder.
    """
    absolute = Path(os.path.abspath(folder))
    above = [parent for parent in absolute.parents if parent.name == STORES]
    return above[-1] if above else Path(STORES).absolute()
