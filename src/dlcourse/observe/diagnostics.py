"""Measurements inside the network while it is trained."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.core import Fold, Observer, Recipe, State, scores
from dlcourse.guard import guarded
from dlcourse.introspect.diagnose import Probe, diagnose, make_probe, update_ratios
from dlcourse.introspect.weighted_layers import WeightedLayer, weighted_layers
from dlcourse.observe.findings import findings_of
from dlcourse.observe.growing_file import GrowingFile
from dlcourse.observe.measurements import (
    as_tables,
    kept_lines,
    read_measurements,
    without_histograms,
)
from dlcourse.random_streams import Purpose, mix
from dlcourse.schema.interval import interval_in_steps
from dlcourse.schema.run_files import DIAGNOSIS, DIAGNOSTICS, PLOTS


class Diagnostics(Observer):
    """Writes ``diagnostics.jsonl``: a line for each measurement, and one for each epoch's losses.

    The network is measured before the first step and after every ``every`` steps, on a fixed batch
    of training examples. Training is the same to the last bit: see ``introspect.undisturbed``.
    Nothing is read from the device in other steps.

    A line is ``{"step": 900, "epoch": 1.0, "layers": {name: {"gradient": ..., ...}}, ...}`` or
    ``{"epoch": 1, "losses": [...], "rates": [...]}``, the loss and the learning rate of each step.
    At the start, lines of steps after the restored state are removed.

    every: the interval, a number of steps or ``"1epoch"``. measure: groups of measurements, see
    ``introspect.diagnose``. examples: the size of the fixed batch. histograms: of weights and
    activations as well.
    """

    def __init__(
        self,
        folder: Path,
        *,
        every: int | str,
        measure: Sequence[str],
        examples: int,
        histograms: bool,
    ) -> None:
        self.folder, self.file = folder, GrowingFile(folder / DIAGNOSTICS)
        self.every, self.groups = every, tuple(measure)
        self.examples, self.histograms = examples, histograms

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.state, self.recipe, self.fold = state, recipe, fold
        self.steps = recipe.steps(len(fold.train))
        self.interval = interval_in_steps(self.every, self.steps)
        within = state.midway["step"] if state.midway else 0
        lines = kept_lines(read_measurements(self.folder), len(state.history), self.steps, within)
        self.measured = {line["step"] for line in lines if "step" in line}
        self.file.replace("".join(map(measurement_line, lines)).encode())

    @cached_property
    def probe(self) -> Probe:
        """The examples on which the network is measured."""
        return make_probe(self.fold, self.recipe, self.examples)

    @cached_property
    def layers(self) -> list[WeightedLayer]:
        """The layers with weights."""
        return weighted_layers(self.state.model)

    def watch(self, batches: Iterable, count: int) -> Iterable:
        """Measure before the first step, and after every step that is due."""
        within = self.state.midway["step"] if self.state.midway else 0
        return self.measured_batches(batches, len(self.state.history) * self.steps + within)

    def measured_batches(self, batches: Iterable, step: int) -> Iterator:
        """Yield the batches; code after ``yield`` runs after the step. step: the number done."""
        for batch in batches:
            if step % self.interval == 0 and step not in self.measured:
                self.measure(step, None)  # the first one, or one that a killed run has missed
            due = (step + 1) % self.interval == 0
            before = self.copy_of_weights() if due and "updates" in self.groups else None
            yield batch
            step += 1
            if due:
                self.measure(step, before)

    def copy_of_weights(self) -> list[Tensor]:
        """Return a copy of all parameters."""
        return [weight.detach().clone() for layer in self.layers for weight in layer.parameters]

    def measure(self, step: int, before: list[Tensor] | None) -> None:
        """Measure the network after ``step`` steps; write a line.

        before: the weights before the last step, for the size of the update.
        """
        seed = mix(self.recipe.seed, step, Purpose.DIAGNOSTICS)
        found = diagnose(
            self.state, self.recipe, self.probe, self.layers, self.groups, self.histograms, seed
        )
        if before is not None:
            for name, ratio in update_ratios(self.layers, before).items():
                found["layers"][name]["update"] = ratio
        self.measured.add(step)
        self.write({"step": step, "epoch": round(step / self.steps, 4)} | found)

    def losses(self, state: State, values: Sequence[float]) -> None:
        """Write the loss and the learning rate of each step of the epoch that has ended."""
        epoch = len(state.history)
        recipe = self.recipe
        known = scores(state.history[:-1], recipe.monitor, recipe.mode)
        base = state.optimizer.param_groups[0]["initial_lr"]
        rates = [
            base * recipe.schedule(epoch - 1 + step / self.steps, recipe.max_epochs, known)
            for step in range(len(values))
        ]
        short = [float(f"{value:.6g}") for value in values]
        rates = [float(f"{rate:.6g}") for rate in rates]
        self.write({"epoch": epoch, "losses": short, "rates": rates})

    def finish(self, state: State, result: dict) -> None:
        lines = kept_lines(read_measurements(self.folder), len(state.history), self.steps)
        self.file.replace("".join(map(measurement_line, lines)).encode())
        measured = [line for line in lines if "layers" in line]
        found = findings_of(self.folder, state, self.fold, self.steps, result)
        content = {"findings": found, "last": without_histograms(measured[-1:])}
        atomic_files.write_json(self.folder / DIAGNOSIS, content, indent=1)
        with guarded("The plot diagnostics"):
            self.draw(lines, result)

    def draw(self, lines: list[dict], result: dict) -> None:
        """Draw all measurements on one page, ``plots/diagnostics.png`` and ``.svg``."""
        from dlcourse.drawing.diagnostics import draw_diagnostics  # matplotlib, 0.2 s
        from dlcourse.drawing.files import save_figure
        from dlcourse.drawing.text import fonts_for

        layers, epochs, series = as_tables(lines)
        losses = [math.nan if x is None else x for line in lines for x in line.get("losses", [])]
        title = f"Inside {result['options'].get('model', 'the model')} on {result['data']}"
        title += first_and_last(layers, series)
        with fonts_for(layers):
            figure = draw_diagnostics(layers, epochs, series, losses, self.steps, title)
            save_figure(figure, self.folder / PLOTS / "diagnostics")

    def write(self, line: dict) -> None:
        """Append a line to the file."""
        self.file.append(measurement_line(line).encode())


def first_and_last(layers: list[str], series: Mapping[str, np.ndarray]) -> str:
    """Return the last gradient norm of the first layer over that of the last one, in words."""
    known = [row[-1] for row in series.get("gradient", []) if row[-1] > 0]
    if len(known) < 2:
        return ""
    ratio = f"{known[0] / known[-1]:.2g}"
    return f": at the end the gradient of {layers[0]} is {ratio} times that of {layers[-1]}"


def measurement_line(line: dict) -> str:
    """Return a measurement as a line of JSON."""
    return atomic_files.to_json(line) + "\n"
