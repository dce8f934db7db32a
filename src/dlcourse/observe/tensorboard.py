"""Curves and plots for TensorBoard."""

import logging
import warnings
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from dlcourse.core import Fold, Observer, Recipe, State
from dlcourse.drawing.text import fonts_for
from dlcourse.guard import guarded

log = logging.getLogger(__name__)


class TensorBoard(Observer):
    """Writes all metrics, the graph, plots of the final test and the HParams entry.

    The x axis counts epochs. A resumed run opens a new event file that replaces later entries of
    the old one. The file is opened after the first epoch and matplotlib is imported at the end, so
    that neither delays the start of the training.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # no subfolder, so that TensorBoard shows the folder's name

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe, self.fold = recipe, fold
        self.again = len(state.history) + 1 if state.history else None

    @cached_property
    def writer(self) -> Any:
        """The event file, opened for the first metric."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder), purge_step=self.again)

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        for name, value in record.metrics.items():
            if name != "seconds":  # examples_per_second shows the same
                self.writer.add_scalar(name, value, record.epoch)
        self.writer.flush()

    def finish(self, state: State, result: dict) -> None:
        from torch.utils.tensorboard.summary import hparams

        for name, value in result["test"].items():
            self.writer.add_scalar(f"test/{name}", value, result["best_epoch"])
        self.draw_plots(result)
        self.draw_graph(state)
        best = f"best/{result['monitor']}"
        self.writer.add_scalar(best, result["best"], result["best_epoch"])
        # Without an experiment summary TensorBoard collects the columns from all runs; with one in
        # every run it shows those of the first run only.
        _, *own = hparams(result["options"], {best: result["best"]})
        for summary in own:
            self.writer.file_writer.add_summary(summary)

    def draw_plots(self, result: dict) -> None:
        """Draw the plots of the final test; one that fails is skipped with a warning."""
        with guarded("Drawing the final test"):
            plots = test_plots(result)
            for name, draw in plots.items():
                with guarded(f"The plot {name}"), fonts_for(result["classes"]):
                    self.writer.add_figure(f"test/{name}", draw(), result["best_epoch"], False)

    def draw_graph(self, state: State) -> None:
        """Write the model's graph, traced on one example; log a warning if it cannot be traced."""
        first = torch.zeros(1, dtype=torch.int64, device=self.fold.train.device)
        (example, _), *_ = self.fold.train.batches([first])
        inputs = self.recipe.prepare(self.fold.standardize(example))
        state.model.eval()
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # deprecation warnings of the tracer
                # checking the trace would import torch.distributed, which takes 0.5 s
                traced = torch.jit.trace(state.model, inputs, check_trace=False)
                self.writer.add_graph(traced, inputs)
        except Exception as error:  # some models cannot be traced
            log.warning("TensorBoard shows no graph of this model: %s", str(error).split("\n")[0])

    def close(self) -> None:
        if "writer" in vars(self):
            self.writer.close()


def test_plots(result: dict) -> dict[str, Callable[[], Any]]:
    """Return functions that draw the plots of the final test, by their names in TensorBoard.

    A plot with the same name as a curve would not be shown.
    """
    if not {"confusion", "per_class", "average_precision", "calibration"} & set(result):
        return {}
    from dlcourse.drawing.calibration import draw_calibration  # matplotlib, 0.2 s
    from dlcourse.drawing.confusion import draw_confusion
    from dlcourse.drawing.per_class import draw_per_class
    from dlcourse.drawing.precision_recall import draw_precision_recall

    classes = result["classes"]
    plots = {
        "confusion": partial(draw_confusion, result.get("confusion", []), classes),
        "per_class": partial(draw_per_class, result.get("per_class", {}), classes),
        "average_precision": partial(
            draw_precision_recall, result.get("average_precision", {}), classes
        ),
        "calibration": partial(draw_calibration, result.get("calibration", {})),
    }
    shown = {"average_precision": "precision_recall"}
    return {shown.get(name, name): draw for name, draw in plots.items() if name in result}
