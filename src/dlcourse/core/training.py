"""The types of training: what changes (State), what is chosen (Recipe), and their parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from dlcourse.core.data import Dataset, Fold, Split
from dlcourse.core.faults import Faults, NonFinite
from dlcourse.core.history import Record
from dlcourse.core.steps import steps_per_epoch


@dataclass
class State:
    """Everything that changes during training, which is therefore the content of a checkpoint.

    averaged: the model that is evaluated and kept; without an average of the weights it is
        ``model`` itself.
    seconds: time spent in training and validation, in all sessions of the run.
    midway: the position within an epoch, only in a checkpoint within an epoch and until training
        has resumed there.
    faults: what was not finite in this epoch.

    The number of completed epochs is ``len(history)``. The random numbers are a function of the
    seed and the epoch; the learning rate, early stopping and the best epoch are functions of the
    history. The scaler's factor changes only with fp16.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    averaged: nn.Module
    history: list[Record] = field(default_factory=list)
    seconds: float = 0.0
    midway: dict | None = None
    faults: Faults = field(default_factory=Faults)


def leave_as_is(state: State, fold: Fold, recipe: Recipe) -> None:
    """Do nothing: the averaged weights are ready after every step."""


@dataclass(frozen=True)
class Recipe:
    """How to train: functions and numbers, all chosen before the first step.

    Of a training step, in the order of their use:

    sample: (training part, seed, pass) -> the positions (N,) of the examples of a pass over the
        training data, in order; passes are counted from 0.
    augment: (inputs, targets, index, pass) -> (inputs, targets) each; index (batch,) are the
        examples' positions in the training data, pass is a tensor on their device, from 0.
    share: (inputs, targets) -> the examples of the batch that this process trains on.
    prepare: float inputs -> inputs in the model's memory order.
    step: (state, inputs, targets, recipe) -> (outputs, mean loss); updates the weights.
    differentiate: (state, inputs, targets, recipe) -> (outputs, mean loss); computes the gradients
        of the loss with the penalties.
    update: (state, loss, recipe) -> None; updates the weights from their gradients: clips, calls
        the optimizer, constrains. The loss () is checked together with the gradients.
    nonfinite: how the training continues after a number that is not finite.
    autocast: the context in which forward passes run.
    loss: (outputs, targets) -> the mean to minimise, perhaps with label smoothing.
    penalties: model -> a term of the objective each.
    clip: model -> None, bounds its gradients in place.
    constraints: model -> None each, applied in place after every update.
    average: updates ``State.averaged`` after every step.
    settle: (state, fold, recipe) -> None: prepares ``State.averaged`` for being evaluated and
        saved after an epoch.
    training_metrics: the metrics that are computed during training.

    Of evaluation:

    predict: (model, standardised inputs) -> outputs, without gradients.
    plain_loss: the loss without label smoothing.
    metrics: all metrics.

    Of the run:

    schedule: (epoch, max_epochs, scores) -> the factor of every base learning rate.
    stop: scores -> whether to end.
    steps_per_epoch: the steps of an epoch; None if an epoch is one pass over the training data.
    monitor, mode: the metric that decides the best epoch, and ``min`` or ``max``.
    max_seconds: limit of training and validation time, in all sessions of the run together.
    graph: (function of a batch, state) -> the same function, perhaps as one CUDA graph; with a
        state, the function trains it.
    rehearse: (state, fold, recipe) -> None: prepares the machine before the time is counted, and
        leaves the state as it is.
    """

    sample: Callable[[Split, int, int], Tensor]
    augment: Sequence[Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]]
    share: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    prepare: Callable[[Tensor], Tensor]
    step: Callable[[State, Tensor, Tensor, Recipe], tuple[Tensor, Tensor]]
    differentiate: Callable[[State, Tensor, Tensor, Recipe], tuple[Tensor, Tensor]]
    update: Callable[[State, Tensor, Recipe], None]
    nonfinite: NonFinite
    autocast: Callable[[], AbstractContextManager]
    loss: Callable[[Tensor, Tensor], Tensor]
    penalties: Sequence[Callable[[nn.Module], Tensor]]
    clip: Callable[[nn.Module], None]
    constraints: Sequence[Callable[[nn.Module], None]]
    average: Average
    training_metrics: Sequence[Metric]

    predict: Callable[[nn.Module, Tensor], Tensor]
    plain_loss: Callable[[Tensor, Tensor], Tensor]
    metrics: Sequence[Metric]

    schedule: Callable[[float, float, list[float]], float]
    stop: Callable[[list[float]], bool]
    monitor: str
    mode: str
    batch_size: int
    max_epochs: float
    seed: int
    graph: Callable[[Callable[..., None], State | None], Callable[..., None]]
    rehearse: Callable[[State, Fold, Recipe], None]
    max_seconds: float = math.inf
    settle: Callable[[State, Fold, Recipe], None] = leave_as_is
    steps_per_epoch: int | None = None

    def steps(self, examples: int) -> int:
        """Return the number of steps of an epoch, with this number of training examples."""
        return self.steps_per_epoch or steps_per_epoch(examples, self.batch_size)


class Average(Protocol):
    """An average of the weights over the steps, which is evaluated and saved.

    It may have a method ``settle(state, fold, recipe)``, called after every epoch: see ``Recipe``.
    """

    def start(self, model: nn.Module) -> nn.Module:
        """Return the model to evaluate and save: a copy, or the model itself."""
        ...

    def update(self, averaged: nn.Module, model: nn.Module, step: int) -> None:
        """Update the average after a training step, counted from 0."""


class Metric(Protocol):
    """A metric that is computed from sums over examples, so that an epoch needs one read-back.

    A derived class may report more at the final test, from all outputs at once.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return this batch's sums, any shape, on the outputs' device; no read-back."""
        ...

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Turn the sums over all batches (float64, on the CPU) into named values."""
        ...

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return a report on all outputs (N, K) and targets (N,), as values that JSON can hold."""
        return {}


@dataclass(frozen=True)
class FinalTest:
    """The final test of a fold's best weights, for observers.

    dataset: its ``test`` part holds the examples of this test, which may be on the disk and not in
        memory. outputs: (N, K) and targets: (N,) classes or (N, K) values, on the CPU.
    kind: of the outputs, as the loss declares it: softmax, sigmoid or scores.
    """

    dataset: Dataset
    outputs: Tensor
    targets: Tensor
    kind: str


@dataclass(frozen=True)
class AllFolds:
    """A finished cross-validation, for observers.

    histories: the history of each fold, by its name. outputs: (N, K) and targets: (N,) or (N, K),
        on the CPU: each fold's outputs for its validation examples, pooled; empty if they are not
        known. result: the content of the run's ``result.json``.
    """

    histories: Mapping[str, Sequence[Record]]
    outputs: Tensor
    targets: Tensor
    result: dict


class Observer(Protocol):
    """Observes a run without changing it; a derived class overrides the methods that it needs."""

    def introduce(self, facts: Mapping[str, str], fold: int, folds: int) -> None:
        """Receive the facts about the run, before ``start``.

        facts: ``{"model": "lenet, 61,706 parameters", ...}``, empty after the first fold that a
            command trains. fold: counted from 1, of ``folds``.
        """

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        """Observe a new or restored state, before the first epoch."""

    def watch(self, batches: Iterable, count: int) -> Iterable:
        """Observe the batches of an epoch; yield all of them unchanged."""
        return batches

    due: Callable[[], bool] | None = None
    """Counts a step and returns whether to call ``midway`` after it; None for never."""

    def midway(self, state: State) -> None:
        """Observe the state within an epoch, at the position ``state.midway``."""

    losses: Callable[[State, Sequence[float]], None] | None = None
    """Receives the mean loss of each step of an epoch, before ``epoch``; None for never."""

    def epoch(self, state: State) -> None:
        """Observe the state after an epoch."""

    def diverged(self, state: State) -> None:
        """Observe a run whose loss or weights are not finite any more; ``finish`` is not called.

        The history has the epochs before that.
        """

    def tested(self, test: FinalTest) -> None:
        """Observe the test of the best weights, once; the result is written, ``finish`` follows."""

    def finish(self, state: State, result: dict) -> None:
        """Observe the best weights and the result, once, at the end."""

    def finish_folds(self, folds: AllFolds) -> None:
        """Observe a cross-validation after its last fold, once.

        A new observer is made for the run's folder, and no other method is called but ``close``;
        only for classes that define this method.
        """

    def close(self) -> None:
        """Close what was opened, whether the run succeeded or not."""
