"""Curves and pictures for TensorBoard."""

import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from dlcourse.core import Fold, Observer, Recipe, State

NAMES = {"examples_per_second": "images_per_second"}

log = logging.getLogger(__name__)


class TensorBoard(Observer):
    """Draws every figure of the history, the graph, the confusion matrix and the HParams entry.

    The x axis counts epochs. A resumed run opens a new event file that takes the place of
    whatever the old one holds from there on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tensorboard"
        self.writer: SummaryWriter | None = None

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe, self.fold = recipe, fold
        again = len(state.history) + 1 if state.history else None
        self.writer = SummaryWriter(str(self.folder), purge_step=again)

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        for name, figure in record.metrics.items():
            if name != "seconds":  # the speed says it already
                self.writer.add_scalar(NAMES.get(name, name), figure, record.epoch)
        self.writer.flush()

    def finish(self, state: State, result: dict) -> None:
        for name, figure in result["test"].items():
            self.writer.add_scalar(f"test/{name}", figure, result["best_epoch"])
        if "confusion" in result:
            figure = draw_confusion(result["confusion"], result["classes"])
            self.writer.add_figure("test/confusion", figure, result["best_epoch"], close=False)
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
        inputs = self.recipe.prepare(self.fold.standardize(self.fold.train.inputs[:1]))
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


def draw_confusion(counts: list[list[int]], classes: list[str]) -> Figure:
    """Draw counts (K, K): true class in rows, predicted in columns, coloured by share of the row.

    Up to 20 classes the counts are written into the cells.
    """
    table = np.array(counts)
    share = table / table.sum(1, keepdims=True).clip(min=1)
    size = min(3 + 0.45 * len(classes), 12)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted", ylabel="true")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= 40:
        axes.set_xticks(range(len(classes)), classes, rotation=90)
        axes.set_yticks(range(len(classes)), classes)
    if len(classes) <= 20:
        for row in range(len(classes)):
            for column in range(len(classes)):
                colour = "white" if share[row, column] > 0.5 else "black"
                count = table[row, column]
                axes.text(column, row, count, ha="center", va="center", color=colour)
    return figure
