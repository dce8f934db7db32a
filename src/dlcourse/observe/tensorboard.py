"""Curves and pictures for TensorBoard."""

import logging
import warnings
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from dlcourse.core import Fold, Observer, Recipe, State
from dlcourse.observe.pictures import (
    draw_confusion,
    draw_per_class,
    draw_precision_recall,
    draw_reliability,
)

PICTURES = {  # of the final test: the name of what is drawn in the result, and how to draw it
    "confusion": ("confusion", lambda told: draw_confusion(told["confusion"], told["classes"])),
    "per_class": ("per_class", lambda told: draw_per_class(told, told["classes"])),
    "precision_recall": (  # a picture with the name of a curve would not be shown
        "average_precision",
        lambda told: draw_precision_recall(told, told["classes"]),
    ),
    "calibration": ("calibration", draw_reliability),
}

log = logging.getLogger(__name__)


class TensorBoard(Observer):
    """Draws every figure of the history, the graph, pictures of the test and the HParams entry.

    The x axis counts epochs. A resumed run opens a new event file that takes the place of
    whatever the old one holds from there on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # itself, so that TensorBoard calls the run by its folder's name
        self.writer: SummaryWriter | None = None

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe, self.fold = recipe, fold
        again = len(state.history) + 1 if state.history else None
        self.writer = SummaryWriter(str(self.folder), purge_step=again)

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        for name, figure in record.metrics.items():
            if name != "seconds":  # the speed says it already
                self.writer.add_scalar(name, figure, record.epoch)
        self.writer.flush()

    def finish(self, state: State, result: dict) -> None:
        for name, figure in result["test"].items():
            self.writer.add_scalar(f"test/{name}", figure, result["best_epoch"])
        for name, (key, draw) in PICTURES.items():
            if key in result:
                self.writer.add_figure(f"test/{name}", draw(result), result["best_epoch"], False)
        self.draw_graph(state)
        best = f"best/{result['monitor']}"
        self.writer.add_scalar(best, result["best"], result["best_epoch"])
        # Without a summary of the whole experiment TensorBoard gathers the columns from all runs;
        # with one in every run it takes those of the first and hides what others have besides.
        _, *own = hparams(result["options"], {best: result["best"]})
        for summary in own:
            self.writer.file_writer.add_summary(summary)

    def draw_graph(self, state: State) -> None:
        """Draw the model as PyTorch traces it on one example; one it cannot trace is named."""
        first = torch.zeros(1, dtype=torch.int64, device=self.fold.train.device)
        (example, _), *_ = self.fold.train.batches([first])
        inputs = self.recipe.prepare(self.fold.standardize(example))
        state.model.eval()
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # the tracer's own, about its future
                self.writer.add_graph(state.model, inputs)
        except Exception as error:  # any model may hold something that cannot be traced
            log.warning("TensorBoard shows no graph of this model: %s", str(error).split("\n")[0])

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
