"""The nouns that every part of dlcourse shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

WHITE = 255.0  # the largest value of a uint8 image


def has_float64(device: torch.device) -> bool:
    """Return whether a device knows float64; Apple's GPUs do not."""
    return device.type != "mps"


def at_least_float32(values: Tensor) -> Tensor:
    """Return half-precision floats as float32, and float64 as it is."""
    return values if values.dtype == torch.float64 else values.float()


@dataclass(frozen=True)
class Split:
    """Examples that belong together: one part of a data set.

    inputs: (N, C, H, W) uint8 images or (N, D) float features.
    targets: (N,) int64 classes, or (N, K) float values of a regression.
    contents: (N,) int64 on the CPU, a digest of the file that each example was read from; None
        where the inputs themselves are compared.
    """

    inputs: Tensor
    targets: Tensor
    contents: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def device(self) -> torch.device:
        """Where batches come to lie."""
        return self.targets.device

    def subset(self, index: Tensor) -> Split:
        """Return the examples at the given positions (M,), in that order."""
        contents = None if self.contents is None else self.contents[index.cpu()]
        index = index.to(self.device)
        return replace(
            self, inputs=self.inputs[index], targets=self.targets[index], contents=contents
        )

    def stretch(self, start: int, stop: int) -> Split:
        """Return the examples from ``start`` to before ``stop``, without a copy."""
        contents = None if self.contents is None else self.contents[start:stop]
        return replace(
            self,
            inputs=self.inputs[start:stop],
            targets=self.targets[start:stop],
            contents=contents,
        )

    def to(self, device: torch.device) -> Split:
        """Return the same examples on the given device."""
        return replace(self, inputs=self.inputs.to(device), targets=self.targets.to(device))

    def batches(self, pieces: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the raw inputs and targets at each piece's positions (batch,), on the device."""
        for batch in self.ahead(pieces):
            yield self.fetch(*batch)

    def ahead(self, pieces: Iterable[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """Yield what ``fetch`` makes each batch of: its positions, and what was read for it."""
        for index in pieces:
            yield (index,)

    def fetch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw inputs and targets at the positions (batch,), on the device."""
        return self.inputs.index_select(0, index), self.targets.index_select(0, index)


@dataclass(frozen=True)
class Dataset:
    """A data set as its source hands it out, before any validation part is taken.

    classes: the names of the classes, in the order of the targets; empty for a regression.
    ready_val: how many examples at the end of ``train`` are a ready-made validation part.
    groups: (N,) int64, the group of every training example, such as the patient an image is of;
        None where examples do not belong together.
    features: the names of a table's columns (D,); empty where the inputs have none.
    verified: whether the examples follow from the config alone: they are made up, or read from
        files with known checksums.
    fingerprint: what a run remembers of the data; see ``dlcourse.engine.fingerprint``.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...] = ()
    ready_val: int = 0
    groups: Tensor | None = None
    features: tuple[str, ...] = ()
    verified: bool = False
    fingerprint: Any = None

    @property
    def task(self) -> str:
        """``classification``, or ``regression`` where there are no classes."""
        return "classification" if self.classes else "regression"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: (C, H, W) or (D,)."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def output_size(self) -> int:
        """How many outputs a model needs: the classes, or the values of a regression."""
        return len(self.classes) or self.train.targets.shape[1]


@dataclass(frozen=True)
class Standardize:
    """Turns raw inputs (N, ...) into floats: (inputs - mean) * scale, on their device.

    mean and scale broadcast against one example; scale is one over the standard deviation.
    """

    mean: Tensor
    scale: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        return torch.sub(inputs, self.mean).mul_(self.scale)  # a new tensor; uint8 becomes float

    def to(self, device: torch.device) -> Standardize:
        """Return the same map on the given device."""
        return replace(self, mean=self.mean.to(device), scale=self.scale.to(device))


@dataclass(frozen=True)
class Whiten(Standardize):
    """Turns raw inputs (N, ...) of D numbers each into decorrelated floats: (inputs - mean) scale.

    scale: a matrix (D, D).
    """

    def __call__(self, inputs: Tensor) -> Tensor:
        flat = torch.sub(inputs, self.mean).flatten(1)  # (N, D)
        with torch.autocast(flat.device.type, enabled=False):  # sums of D numbers, in float32
            return (flat @ self.scale).view(inputs.shape)


@dataclass(frozen=True)
class Fold:
    """One division of the training part: learn from ``train``, choose by ``val``.

    name: the fold's folder; ``"."`` for a hold-out, ``"fold3"`` in cross-validation.
    val: None where all examples are trained on.
    standardize: computed on ``train`` alone.
    """

    name: str
    train: Split
    val: Split | None
    standardize: Standardize


@dataclass(frozen=True)
class Record:
    """What one epoch measured: ``{"train/loss": ..., "val/accuracy": ..., "lr": ...}``.

    epoch: counted from 1, so that it is the number of epochs done.
    """

    epoch: int
    metrics: dict[str, float]


@dataclass
class State:
    """All that changes during training, and so all that a checkpoint holds.

    averaged: the model that is evaluated and kept; without an average of the weights it is
        ``model`` itself.
    seconds: spent in training and validation up to the last epoch, by all sessions of the run.
    midway: only in a checkpoint within an epoch and until it is resumed, where in the epoch it is.

    The epochs done are ``len(history)``; the random numbers follow from the seed and the epoch; the
    schedule, early stopping and the best epoch follow from the history. The scaler's factor
    changes under fp16 alone.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    averaged: nn.Module
    history: list[Record] = field(default_factory=list)
    seconds: float = 0.0
    midway: dict | None = None


@dataclass(frozen=True)
class Recipe:
    """How to train: functions and numbers, all chosen before the first step.

    loss: (outputs, targets) -> the mean that training minimises, perhaps with label smoothing.
    plain_loss: the same without label smoothing, for what is only evaluated.
    clip: model -> None, bounds its gradients in place.
    constraints: model -> None each, in place after every update.
    average: moves ``State.averaged`` after every step.
    augment: (inputs, targets, index, epoch) -> (inputs, targets) each; index (batch,) are the
        examples' positions in the training part, epoch is a number on their device, from 0.
    ask: model, standardised inputs -> outputs, where no gradient is wanted.
    schedule: (epoch, max_epochs, scores) -> factor of every base learning rate.
    stop: scores -> whether to end.
    prepare: float inputs -> inputs in the model's memory order.
    capture: a function of a batch -> the same function, perhaps as one CUDA graph; with a state, it
        is a training step of this state.
    max_seconds: of training and validation, all sessions of the run together.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    plain_loss: Callable[[Tensor, Tensor], Tensor]
    penalties: Sequence[Callable[[nn.Module], Tensor]]
    augment: Sequence[Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]]
    clip: Callable[[nn.Module], None]
    constraints: Sequence[Callable[[nn.Module], None]]
    average: Average
    schedule: Callable[[float, float, list[float]], float]
    stop: Callable[[list[float]], bool]
    step: Callable[[State, Tensor, Tensor, Recipe], tuple[Tensor, Tensor]]
    metrics: Sequence[Metric]
    training_metrics: Sequence[Metric]
    prepare: Callable[[Tensor], Tensor]
    ask: Callable[[nn.Module, Tensor], Tensor]
    autocast: Callable[[], AbstractContextManager]
    capture: Callable[[Callable[..., None], State | None], Callable[..., None]]
    batch_size: int
    max_epochs: float
    seed: int
    monitor: str
    mode: str
    max_seconds: float = math.inf


class Average(Protocol):
    """Which weights are evaluated and kept."""

    def start(self, model: nn.Module) -> nn.Module:
        """Return the model to evaluate and keep: a copy, or the model itself."""

    def update(self, averaged: nn.Module, model: nn.Module, step: int) -> None:
        """Move it after a training step, counted from 0."""


class Metric(Protocol):
    """A figure that follows from sums over examples, so that an epoch needs one read-back.

    Whoever derives from it may also tell more at the final test, from all outputs at once.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return this batch's sums, any shape, on the outputs' device; no read-back."""

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Turn the sums over all batches (float64, on the CPU) into named figures."""

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return what is worth keeping of all outputs (N, K) and targets (N,), as JSON takes it."""
        return {}


class Observer(Protocol):
    """Looks at a run and never steers it; whoever derives from it writes what it needs."""

    def introduce(self, facts: Mapping[str, str], fold: int, folds: int) -> None:
        """Look at what the run is, before ``start``.

        facts: ``{"model": "lenet, 61,706 parameters", ...}``, empty after the first fold that a
            command trains. fold: counted from 1, of ``folds``.
        """

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        """Look at a fresh or restored state, before the first epoch."""

    def watch(self, batches: Iterable, count: int) -> Iterable:
        """Look at an epoch's batches go by; hand on what came."""
        return batches

    due: Callable[[], bool] | None = None
    """Counts a step and returns whether ``midway`` is to be called after it; None for never."""

    def midway(self, state: State) -> None:
        """Look at the state within an epoch; ``state.midway`` says where."""

    def epoch(self, state: State) -> None:
        """Look at the state after an epoch."""

    def finish(self, state: State, result: dict) -> None:
        """Look at the best weights and the result, once, at the end."""

    def close(self) -> None:
        """Give back what was opened, whether the run ended well or not."""


def scores(history: Sequence[Record], monitor: str, mode: str) -> list[float]:
    """Return the monitored figure epoch by epoch, turned so that larger is better.

    With mode ``min`` the figures are negated; one that is not a number becomes minus infinity.
    """
    sign = 1.0 if mode == "max" else -1.0
    values = (sign * record.metrics[monitor] for record in history)
    return [-math.inf if math.isnan(value) else value for value in values]


def best_epoch(history: Sequence[Record], monitor: str, mode: str) -> int:
    """Return the epoch, counted from 1, with the best monitored figure; the first of equals."""
    figures = scores(history, monitor, mode)
    return history[figures.index(max(figures))].epoch
