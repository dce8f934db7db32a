"""Train epochs of a run for timing; when the loop's functions change, this module has to change."""

import io
import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from dlcourse.core import Dataset, Fold, Observer, Recipe, Record, State
from dlcourse.engine.assemble import make_recipe, make_state
from dlcourse.engine.autotune import decide
from dlcourse.engine.datasets import make_fold, split_training_data
from dlcourse.engine.instantiate import build
from dlcourse.runtime import Runtime
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.fit import fit, train_epoch, train_runner
from dlcourse.train.rng import INITIAL, reseed


class TimedTraining:
    """The state, fold and recipe of a run, made as in ``engine.fold.prepare_fold``.

    examples: the number of training examples to use; None for all.
    """

    def __init__(self, config: dict, dataset: Dataset, examples: int | None = None) -> None:
        runtime: Runtime = build(config["runtime"])()
        part = split_training_data(config, dataset)[0]
        if examples is not None:
            part = part._replace(train=part.train[:examples])
        fold = make_fold(config, dataset, part, runtime)
        with redirect_stdout(sys.stderr):  # what runtime=auto picks
            picked = decide(config, runtime, dataset, fold)["picked"]
        self.runtime = runtime.with_picks(picked)
        self.state: State = make_state(config, self.runtime, dataset, fold)
        self.recipe = make_recipe(config, self.runtime, dataset, fold)
        self.use(fold)

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return sum(parameter.numel() for parameter in self.state.model.parameters())

    def use(self, fold: Fold) -> None:
        """Train on a fold from now on."""
        self.fold = fold
        self.training = train_runner(self.state, fold, self.recipe)

    def epoch(self, number: int) -> None:
        """Train one epoch as ``fit`` does, without validation and observers."""
        reseed(self.recipe.seed, number)
        metrics = train_epoch(self.state, self.fold, self.recipe, (), self.training)
        self.state.history.append(Record(number + 1, metrics))

    def run(self, epochs: int, observers: Sequence[Observer], recipe: Recipe | None = None) -> None:
        """Train more epochs with ``fit`` itself, without output.

        recipe: replaces the run's own. Early stopping is evaluated, so that it takes its time, and
        ignored.
        """
        recipe = recipe or self.recipe
        end = len(self.state.history) + epochs

        def enough(scores: list[float]) -> bool:
            recipe.stop(scores)
            return len(scores) >= end

        with redirect_stdout(io.StringIO()):
            fit(self.state, self.fold, replace(recipe, stop=enough), observers)


def observers_of(config: dict, folder: Path, stack: ExitStack) -> list[Observer]:
    """Make the observers of a run, which write into a folder; the stack closes them."""
    made: list[Observer] = [Checkpoint(folder)]
    for node in config["observe"].values():
        made.append(build(node)(folder))
        stack.callback(made[-1].close)
    return made


def initial_model(config: dict, dataset: Dataset) -> nn.Module:
    """Return a run's model with its initial weights, without the settings of ``runtime``."""
    reseed(config["seed"], INITIAL)
    model = build(config["model"])(dataset.input_shape, dataset.output_size)
    build(config["init"])(model)
    return model


def device_of(name: str) -> torch.device:
    """Return the device that is called ``auto``, ``cpu`` or ``cuda``."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
