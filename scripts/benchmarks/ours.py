"""How an epoch of dlcourse is made: the one place to change when the loop changes."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn

from dlcourse.build import build, divide, make_recipe, make_state
from dlcourse.core import Dataset, Fold, Observer, Record, State
from dlcourse.data.options import standardize
from dlcourse.train.checkpoint import Checkpoint
from dlcourse.train.evaluate import look_over, looking
from dlcourse.train.fit import learning, past, train_epoch
from dlcourse.train.rng import INITIAL, reseed
from dlcourse.tune import decide


class Ours:
    """A run's state, fold and recipe, made as ``experiment.run_fold`` makes them.

    examples: take so many of the training part; None takes all.
    """

    def __init__(self, cfg: DictConfig, dataset: Dataset, examples: int | None = None) -> None:
        self.runtime = build(cfg.runtime)()
        part = divide(cfg, dataset)[0]
        train = dataset.train.subset(part.train)
        if examples is not None:
            train = train.stretch(0, examples)
        train = train.to(self.runtime.device)
        val = None
        if len(part.val):
            val = dataset.train.subset(part.val).to(self.runtime.device)
        self.fold = Fold(".", train, val, standardize(train, cfg.data.standardize))
        with redirect_stdout(sys.stderr):  # what runtime=auto picks
            self.runtime.pick(decide(cfg, self.runtime, dataset, self.fold)["picked"])
        self.state: State = make_state(cfg, self.runtime, dataset, self.fold)
        self.recipe = make_recipe(cfg, self.runtime, dataset, self.fold)
        self.training = learning(self.state, self.fold, self.recipe)
        self.validation = None
        if val is not None:
            self.validation = looking(self.state.averaged, val, self.fold.standardize, self.recipe)

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.numel() for parameter in self.state.model.parameters())

    def epoch(self, number: int) -> None:
        """Train one epoch as ``fit`` does, without validation and observers."""
        reseed(self.recipe.seed, number)
        metrics = train_epoch(self.state, self.fold, self.recipe, (), self.training)
        self.state.history.append(Record(number + 1, metrics))

    def full_epoch(self, observers: Sequence[Observer]) -> None:
        """Train one epoch with all that ``fit`` does around it; observers have been started."""
        state, recipe = self.state, self.recipe
        reseed(recipe.seed, len(state.history))
        metrics = train_epoch(state, self.fold, recipe, observers, self.training)
        if self.validation:
            metrics |= look_over(state.averaged, self.validation).read("val")
        state.history.append(Record(len(state.history) + 1, metrics))
        recipe.stop(past(state, recipe))
        for observer in observers:
            observer.epoch(state)

    def observers(self, cfg: DictConfig, folder: Path, stack: ExitStack) -> list[Observer]:
        """Make and start the observers of a run; the stack closes them."""
        made: list[Observer] = [Checkpoint(folder)]
        for node in cfg.observe.values():
            made.append(build(node)(folder))
            stack.callback(made[-1].close)
        for observer in made:
            observer.start(self.state, self.recipe, self.fold)
        return made


class Started(Observer):
    """Hands on what an observer is told, but not that a run starts."""

    def __init__(self, observer: Observer) -> None:
        self.watch, self.epoch = observer.watch, observer.epoch


def initial_model(cfg: DictConfig, dataset: Dataset) -> nn.Module:
    """Return our model with the weights that training starts with, and set no switch for it."""
    reseed(cfg.seed, INITIAL)
    model = build(cfg.model)(dataset.input_shape, dataset.output_size)
    build(cfg.init)(model)
    return model


def device_of(name: str) -> torch.device:
    """Return the device that is called ``auto``, ``cpu`` or ``cuda``."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
