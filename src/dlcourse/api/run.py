"""A finished run, opened from its folder."""

import math
from collections.abc import Iterable
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.api.figures import Figures, ReportPage, inline, stored_plot
from dlcourse.api.isolation import isolated, isolated_torch
from dlcourse.errors import UserError
from dlcourse.runs import run_folder, start_record
from dlcourse.schema import run_files
from dlcourse.schema.run_files import HISTORY
from dlcourse.schema.stored_shape import misfit
from dlcourse.schema.untrusted import json_of
from dlcourse.terminal.extras import require
from dlcourse.terminal.installed import short_path

if TYPE_CHECKING:
    import numpy
    import pandas  # pyright: ignore[reportMissingImports]
    from matplotlib.figure import Figure
    from torch import Tensor

    from dlcourse.core import Dataset
    from dlcourse.engine.trained_model import TrainedModel
    from dlcourse.report.comparison.compare import Comparison


class Run:
    """A finished run: its config, result, history and model, read from its folder.

    ``dlcourse.train`` and ``dlcourse.load`` return one; in a notebook it shows its result and
    curves.

    folder: of the run, or of one fold of a cross-validation. trust: modules outside dlcourse that
    its config may call. device: of the model, ``"cpu"``, ``"cuda"`` ...; None for the config's.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        trust: Iterable[str] = (),
        device: str | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._trust = tuple(trust)
        self._device = device

    @cached_property
    def config(self) -> dict[str, Any]:
        """The config that the run was started with, a nested dict; the same for its folds."""
        return start_record.stored_config(self._whole)

    @cached_property
    def choices(self) -> dict[str, str]:
        """The choice in each group, ``{"model": "lenet", "optim": "adam", ...}``."""
        return start_record.stored_choices(self._whole)

    @cached_property
    def result(self) -> dict[str, Any]:
        """The content of ``result.json``.

        ``result["val"]`` and ``result["test"]`` are the metrics of the best epoch's weights,
        ``result["best"]`` the monitored one; in cross-validation ``result["mean"]``, ``["std"]``
        and ``["folds"]``.
        """
        result = run_folder.read_result(self.folder)
        if result is None:
            raise UserError(unfinished(self.folder))
        return result

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """The metrics of each epoch: ``[{"epoch": 1, "train/loss": ..., "val/accuracy": ...}]``.

        A metric that is undefined is None. In cross-validation each dict has a ``"fold"`` as well.
        """
        if self.folds:
            return [{"fold": fold.name, **row} for fold in self.folds for row in fold.history]
        path = self.folder / HISTORY
        if not path.exists():  # observe=[...] without history: read the checkpoint's copy
            from dlcourse.train.checkpoint import history_of

            return [{"epoch": one.epoch, **one.metrics} for one in history_of(self.folder)]
        try:
            rows = [json_of(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}") from error
        problem = misfit(rows, [{"epoch": int}])
        if problem:
            raise UserError(f"{path} is not a history that dlcourse has written: {problem}")
        return rows

    def frame(self) -> "pandas.DataFrame":
        """Return the history as a pandas DataFrame, a row for each epoch.

        Raises UserError if pandas is not installed.
        """
        return as_frame(self.history)

    @property
    def name(self) -> str:
        """The name of the run's folder; for a fold, ``fold0`` ..."""
        return self.folder.resolve().name

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities; empty for a regression."""
        return tuple(self.result.get("classes", ()))

    @cached_property
    def folds(self) -> list["Run"]:
        """The runs of a cross-validation, one for each fold; empty for a single split."""
        return [
            Run(self.folder / fold["name"], trust=self._trust, device=self._device)
            for fold in self.result.get("folds", ())
        ]

    @cached_property
    def model(self) -> "TrainedModel":
        """The network with the best epoch's weights, in evaluation mode, as a ``torch.nn.Module``.

        Takes raw inputs, images (N, C, H, W) from 0 to 255 or features (N, D) in the data set's
        units, and standardises them itself; returns outputs (N, K), not probabilities.

        Raises UserError for a cross-validation, which has a model for each fold, and for a config
        that calls code which is not trusted.
        """
        if self.folds:
            raise UserError(
                f"{short_path(self.folder)} is a cross-validation with "
                f"{len(self.folds)} models, one for each fold.\n"
                "Type run.folds[0].model for one of them; run.predict(inputs) averages all"
            )
        return self._opened.model

    @cached_property
    def _opened(self) -> Any:
        from dlcourse.engine.reopen import open_model

        with isolated(), isolated_torch():
            return open_model(self.folder, trust=self._trust, device=self._device)

    def predict(self, inputs: Any) -> "Tensor":
        """Return the class probabilities (N, K) of raw inputs, on the CPU.

        inputs: uint8 images (N, C, H, W), or float features (N, D) in the data set's units, as a
        tensor, an array or nested lists. Columns are in the order of ``run.classes``. A regression
        returns its values (N, K). Where an example can have several classes, each probability is
        for itself. The run's views and precision are used as in its test; the
        folds of a cross-validation are averaged. For losses without probabilities (``hinge``,
        ``mse`` ...) the softmax of the scores is returned, which only ranks the classes.

        A run on a table (``data=csv``, ``data=parquet``) takes a table as well: the path of a CSV
        or Parquet file, a pandas DataFrame, or a list of dicts. Columns are found by their names;
        text, dates and missing cells become numbers as in training. A row with a missing cell that
        the run cannot fill gets NaN.

        Raises UserError for inputs of another shape or type.

        >>> run.predict(images).argmax(1)
        tensor([7, 2, 1, 0])
        """
        from dlcourse.engine.new_table import is_new_table, new_rows
        from dlcourse.engine.reopen import predict_with

        runs = self.folds or [self]
        with isolated(), isolated_torch():
            if not is_new_table(inputs):
                return predict_with([run._opened for run in runs], inputs)
            rows = new_rows(self.folder, self.config["data"], inputs)
            predicted = predict_with([run._opened for run in runs], rows.inputs)
            return predicted.masked_fill(rows.incomplete[:, None], math.nan)

    def curves(self) -> "Figure":
        """Draw loss, monitored metric and learning rate over the epochs, as ``plots/curves.png``.

        In a cross-validation all folds are drawn, with their mean. A notebook shows the figure;
        ``.savefig("curves.pdf")`` writes it.
        """
        from dlcourse.drawing.curves import draw_run_curves
        from dlcourse.drawing.fold_curves import draw_fold_curves

        monitor = self.result["monitor"]
        if not self.history:
            raise UserError(f"{short_path(self.folder)} has no epochs to draw")
        if self.folds:
            histories = {fold.name: fold.history for fold in self.folds}
            best = [fold["best"] for fold in self.result["folds"]]
            return inline(draw_fold_curves(histories, monitor, best))
        return inline(draw_run_curves(self.history, monitor, self.result["best_epoch"]))

    def plot(self, name: str) -> "Figure":
        """Return a plot that the run has stored in its folder, ``run.plot("confusion")``.

        Raises UserError that lists the stored plots if there is none of this name.
        """
        return stored_plot(self.folder, name)

    def export(self, format: str, *, to: "str | PathLike[str]" = "", **options: Any) -> Path:
        """Export the model for use without dlcourse, as ``dlcourse export``; return its folder.

        format: ``"onnx"``, ``"torch_export"``, ``"torchscript"``, ``"safetensors"`` or
        ``"state_dict"``. to: the folder to make; by default in the run's own. options: as on the
        command line, ``fold=2``, ``opset=18``, ``tolerance=1e-4``, ``views=False`` ...

        >>> dlcourse.load(run.export("onnx")).predict(images)

        Raises UserError for a model that the format cannot hold, and for one that predicts
        differently once it is exported.
        """
        from dlcourse.export.request import request_of
        from dlcourse.export.write_export import export_run

        options = {"trust": ",".join(self._trust), **options}
        request = request_of(self.folder, format, str(to), options)
        with isolated(), isolated_torch():
            export_run(request)
        return request.to

    def look(self, what: str, **options: Any) -> "Figure | Figures":
        """Look into the run's model as ``dlcourse look`` does.

        what: ``"filters"``, ``"maps"`` ... options: as on the command line, ``layer="features.0"``,
        with ``class_`` for ``class``.
        Returns a figure, or a list of several; a notebook shows both. Nothing is written.

        Raises UserError with the command's message.
        """
        from dlcourse.drawing.text import fonts_for
        from dlcourse.look.draw import draw

        options = {"trust": list(self._trust), **options}
        with isolated(), isolated_torch(), fonts_for(self.classes):
            figures = [inline(figure) for _, figure in draw(self.folder, what, **options)]
        return figures[0] if len(figures) == 1 else Figures(figures)

    def report(self) -> ReportPage:
        """Write the run's report, as ``dlcourse report``; a notebook shows it.

        The result is the path of ``report.html`` in the run's folder.
        """
        from dlcourse.report.page import write_page

        with isolated(), isolated_torch():
            return ReportPage(write_page([self.folder]))

    def evaluate(
        self, part: str = "test", data: str | None = None, **options: Any
    ) -> dict[str, Any]:
        """Evaluate the best weights again, as ``dlcourse evaluate``; return the metrics.

        part: ``"test"``, whose metrics are equal to ``run.result["test"]``; ``"val"``, ``"train"``,
        or ``"all"`` of other data. data, options: other data, as in training. In a
        cross-validation the metrics are returned for each fold:
        ``{"fold0": {"loss": ..., "accuracy": ...}, ...}``.

        >>> run.evaluate()["accuracy"]
        0.9778
        >>> run.evaluate(part="all", data="image_folder", **{"data.root": "my_digits"})
        """
        from dlcourse.api.overrides import overrides_of
        from dlcourse.engine.retest import retest

        named = {} if data is None else {"data": data}
        with isolated(), isolated_torch():
            overrides = overrides_of((), named | options, None)
            tested = retest(
                self.folder, trust=self._trust, device=self._device, part=part, data=overrides
            )
        return tested.metrics if self.folds else tested.metrics["."]

    def predictions(self, part: str = "test") -> "dict[str, numpy.ndarray]":
        """Return what the best weights predict for the test or the validation part.

        part: ``"test"`` or ``"val"``. The arrays are ``id`` (N,), the names of the examples;
        ``target`` (N,) or (N, K); ``outputs`` (N, K) of the network; ``predicted`` (N, K), class
        probabilities or the values of a regression. They are read from the run's folder; nothing
        is evaluated again.

        Raises UserError for a cross-validation, whose folds have predictions each.
        """
        from dlcourse.engine.predictions import stored_part

        if self.folds:
            raise UserError(
                f"{short_path(self.folder)} is a cross-validation.\n"
                "Type run.folds[0].predictions() for one fold"
            )
        return stored_part(self.folder, part, self.result["task"])

    def compare(self, other: "Run | str | PathLike[str]") -> "Comparison":
        """Compare with another finished run, as ``dlcourse compare``; this run is A.

        other: a run, or the folder of one. The result prints as the command does; a notebook shows
        it with its plots. ``.test`` is McNemar's test, or the paired errors of two regressions.

        Raises UserError for runs that cannot be compared.
        """
        from dlcourse.report.comparison.compare import compare_runs

        folder, more = (other.folder, other._trust) if isinstance(other, Run) else (other, ())
        trust = (*self._trust, *more)
        with isolated(), isolated_torch():
            return compare_runs(self.folder, Path(folder), trust=trust, device=self._device)

    @cached_property
    def dataset(self) -> "Dataset":
        """The data set of the run's config, read again.

        ``run.dataset.test.inputs`` are raw inputs for ``predict``: uint8 images (N, C, H, W) or
        float features (N, D); ``run.dataset.test.targets`` are classes (N,) or values (N, K).
        """
        from dlcourse.engine.datasets import load_data
        from dlcourse.engine.reopen import config_of

        with isolated(), isolated_torch():
            return load_data(config_of(self.folder, ",".join(self._trust)))

    @property
    def _whole(self) -> Path:
        is_fold = not (self.folder / run_files.CONFIG).exists()
        return self.folder.resolve().parent if is_fold else self.folder

    def __repr__(self) -> str:
        from dlcourse.api.html import headline

        return f"<dlcourse.Run {headline(self)} in {short_path(self.folder)}>"

    def _repr_html_(self) -> str:
        from dlcourse.api.html import run_as_html

        return run_as_html(self)


def as_frame(rows: list[dict[str, Any]]) -> "pandas.DataFrame":
    """Return rows as a pandas DataFrame; raises UserError if pandas is not installed."""
    pandas = require("pandas", "A frame")
    return pandas.DataFrame(rows)


def unfinished(folder: Path) -> str:
    """Return the message for a folder without a finished run: the reason, and what to type."""
    shown = short_path(folder)
    failure = run_folder.read_json(folder / run_files.FAILURE, "resume the run")
    if isinstance(failure, dict) and failure.get("reason"):
        return (
            f"{shown} holds a run without a result: {failure['reason']}\n"
            f"{shown}/{run_files.LOG} says more; start a new run with other options"
        )
    return (
        f"{shown} holds no finished run: {run_files.RESULT} is not in it.\n"
        f'Type dlcourse.train(resume="{shown}") to resume it first, or name the folder of a '
        "finished run"
    )
