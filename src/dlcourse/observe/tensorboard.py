"""Curves and plots for TensorBoard."""

import logging
import struct
import warnings
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from dlcourse.core import FinalTest, Fold, Observer, Recipe, State
from dlcourse.drawing.files import figure_bytes
from dlcourse.drawing.text import fonts_for
from dlcourse.guard import guarded
from dlcourse.observe.board_embedding import write_embedding
from dlcourse.observe.board_layout import board_layout
from dlcourse.observe.board_measurements import curve_points, histograms_of, kinds_in
from dlcourse.observe.board_pr_curves import pr_curves
from dlcourse.observe.board_text import run_texts
from dlcourse.observe.example_plots import Finished
from dlcourse.observe.measurements import read_measurements, read_new_measurements
from dlcourse.observe.run_plots import plots_of_run
from dlcourse.schema.run_files import PLOTS, RESULT

log = logging.getLogger(__name__)


class TensorBoard(Observer):
    """Writes all metrics, the command and config, the graph, plots of the final test, HParams.

    What the observer diagnostics measures is shown as well; its curves count training steps, all
    others epochs. A resumed run opens a new event file that replaces later entries of
    the old one. The file is opened after the first epoch and matplotlib is imported at the end, so
    that neither delays the start of the training.

    embedding: the number of test examples in the projector tab at most, 0 for none. pr_classes: the
        number of classes in the PR Curves tab at most.
    """

    def __init__(self, folder: Path, *, embedding: int, pr_classes: int) -> None:
        self.folder = folder  # no subfolder, so that TensorBoard shows the folder's name
        self.embedding, self.pr_classes = embedding, pr_classes
        self.seen = 0  # bytes of diagnostics.jsonl

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.recipe, self.fold = recipe, fold
        self.again = len(state.history) + 1 if state.history else None

    @cached_property
    def writer(self) -> Any:
        """The event file, opened for the first metric."""
        from dlcourse.observe.event_file import Board

        return Board(str(self.folder), purge_step=self.again)

    def tested(self, test: FinalTest) -> None:
        self.test = test

    def epoch(self, state: State) -> None:
        record = state.history[-1]
        for name, value in record.metrics.items():
            if name != "seconds":  # examples_per_second shows the same
                self.writer.add_scalar(name, value, record.epoch)
        self.show_measurements()
        if record.epoch in (1, self.again):
            self.lay_out(record.metrics)
        self.writer.flush()

    def lay_out(self, metrics: Iterable[str]) -> None:
        """Write the Custom Scalars tab and the texts, once in a session."""
        measured = kinds_in(read_measurements(self.folder))
        self.writer.add_custom_scalars(board_layout(metrics, self.recipe.monitor, measured))
        for tag, text in run_texts(self.folder).items():
            self.writer.add_text(tag, text, 0)

    def show_measurements(self) -> None:
        """Write what the observer diagnostics has measured since the last call."""
        lines, self.seen = read_new_measurements(self.folder, self.seen)
        first = self.again or 0  # earlier points are still in the file of the earlier session
        steps = self.recipe.steps(len(self.fold.train)) if lines else 0
        for line in lines:
            for tag, value, step in curve_points(line, steps):
                if step >= first:
                    self.writer.add_scalar(tag, value, step)
            for tag, content in histograms_of(line):
                if line["step"] >= first:
                    self.writer.add_histogram_raw(tag, global_step=line["step"], **content)

    def finish(self, state: State, result: dict) -> None:
        from torch.utils.tensorboard.summary import hparams

        for name, value in result["test"].items():
            self.writer.add_scalar(f"test/{name}", value, result["best_epoch"])
        self.show_measurements()
        self.show_plots(state, result)
        self.draw_graph(state)
        with guarded("The PR curves in TensorBoard"):
            for tag, labels, shares in pr_curves(self.test, self.pr_classes):
                self.writer.add_pr_curve(tag, labels, shares, result["best_epoch"])
        with guarded("The embedding in TensorBoard"):
            if self.embedding:
                write_embedding(
                    self.folder, state, self.recipe, self.fold, self.test, self.embedding
                )
        best = f"best/{result['monitor']}"
        self.writer.add_scalar(best, result["best"], result["best_epoch"])
        # Without an experiment summary TensorBoard collects the columns from all runs; with one in
        # every run it shows those of the first run only.
        _, *own = hparams(result["options"], {best: result["best"]})
        for summary in own:
            self.writer.file_writer.add_summary(summary)

    def show_plots(self, state: State, result: dict) -> None:
        """Show the run's plots: the files of the observer ``plots``, or drawn here without it."""
        with guarded("Showing the plots"):
            run = Finished(state, self.recipe, self.fold, self.test, result)
            plots = plots_of_run(run)
            with fonts_for([*self.test.dataset.classes, *self.test.dataset.features]):
                for name, draw in plots.items():
                    with guarded(f"The plot {name} in TensorBoard"):
                        image = written_plot(self.folder, name) or figure_bytes(draw())
                        self.add_png(f"test/{name}", image, result["best_epoch"])

    def add_png(self, tag: str, content: bytes, step: int) -> None:
        """Write a PNG file's content as an image, without decoding it."""
        from tensorboard.compat.proto import summary_pb2

        Summary = summary_pb2.Summary  # pyright: ignore[reportAttributeAccessIssue]
        width, height = struct.unpack(">II", content[16:24])
        image = Summary.Image(
            height=height, width=width, colorspace=4, encoded_image_string=content
        )
        summary = Summary(value=[Summary.Value(tag=tag, image=image)])
        self.writer.file_writer.add_summary(summary, step)

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


def written_plot(folder: Path, name: str) -> bytes | None:
    """Return the PNG of a plot if it was drawn after the run's result was written, else None."""
    path = folder / PLOTS / f"{name}.png"
    try:
        if path.stat().st_mtime_ns < (folder / RESULT).stat().st_mtime_ns:
            return None  # of an earlier end of the run
        return path.read_bytes()
    except OSError:
        return None
