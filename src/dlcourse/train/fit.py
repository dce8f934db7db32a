"""The training loop: epochs, and the steps of an epoch."""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import NamedTuple, TypeVar

import torch

from dlcourse.core import Fold, Observer, Recipe, Record, State, scores
from dlcourse.distributed.agreement import refuse_drift
from dlcourse.distributed.collectives import decided
from dlcourse.distributed.reading import read_batches
from dlcourse.errors import DivergedError
from dlcourse.terminal.stop_signals import leave, postponed, stop_requested
from dlcourse.train.batch_runner import BatchRunner
from dlcourse.train.batches import all_steps, batches_of_epoch, steps_left
from dlcourse.train.divergence import (
    diverged,
    ended_after_rollbacks,
    may_go_back,
    rate_factor,
    say_skipped,
)
from dlcourse.train.evaluate import eval_runner, run_evaluation
from dlcourse.train.finite import (
    refuse_divergence,
    refuse_infinite_loss,
    refuse_untrained,
    start_finite,
)
from dlcourse.train.last_good import LastGood
from dlcourse.train.learning_rate import LearningRates
from dlcourse.train.midway import agreed_to_stop, interruptible_alone, stop_after_step
from dlcourse.train.rng import reseed, restore_rng_states, rng_states
from dlcourse.train.step import make_train_step, set_train_mode
from dlcourse.train.step_losses import StepLosses
from dlcourse.train.update import NonFiniteStep

Result = TypeVar("Result")

CUT = "share_of_epoch"
"""The metric of an epoch that ``max_time`` has cut: the share of its steps that was trained."""


def no_limit() -> bool:
    """Return that time is not up: there is no limit."""
    return False


@dataclass(frozen=True)
class Within:
    """The checks between two steps of an epoch.

    observers: one of them may write checkpoints within the epoch.
    masks: names of buffers that may be infinite.
    late: whether the run's time is up; all ranks of a run get the same answer.
    stop: whether a signal has asked to stop; all ranks of a run get the same answer.
    clock: returns seconds.
    good: keeps the state of the last good epoch; None for never.
    """

    observers: Sequence[Observer] = ()
    masks: Sequence[str] = ()
    late: Callable[[], bool] = no_limit
    stop: Callable[[], bool] = stop_requested
    clock: Callable[[], float] = perf_counter
    good: LastGood | None = None

    @property
    def keeper(self) -> Observer | None:
        """The observer that writes checkpoints within an epoch, if there is one."""
        found = (one for one in self.observers if type(one).midway is not Observer.midway)
        return next(found, None)


class Next(NamedTuple):
    """The next step of a training: ``runner.run(*batch)``."""

    runner: BatchRunner
    batch: tuple[torch.Tensor, ...]


def fit(
    state: State,
    fold: Fold,
    recipe: Recipe,
    observers: Sequence[Observer] = (),
) -> State:
    """Train a state until the end; see ``training``, whose steps are run one after the other."""
    run_steps(training(state, fold, recipe, observers, perf_counter))
    return state


def run_steps(steps: Generator[Next, None, Result]) -> Result:
    """Run every step of a training and return its result.

    A step's error is raised inside the training, where it waits for the step.
    """
    try:
        step = next(steps)
        while True:
            try:
                step.runner.run(*step.batch)
            except Exception as error:
                step = steps.throw(error)  # the training may continue elsewhere
            else:
                step = next(steps)
    except StopIteration as end:
        return end.value


def training(
    state: State,
    fold: Fold,
    recipe: Recipe,
    observers: Sequence[Observer],
    clock: Callable[[], float],
) -> Generator[Next, None, None]:
    """Train until ``max_epochs`` or the time limit is reached, or ``recipe.stop`` returns true.

    Yields every training step before it is due; the caller runs it, alone or together with steps of
    other trainings.

    With ``max_epochs=9.9`` the tenth epoch has 90 % of its steps. An epoch that the time limit ends
    is discarded, unless it is the first.

    A new, a restored and a finished state are treated alike: the epoch is ``len(history)``, which
    determines everything else.

    A signal that asks to stop ends the training after the current step or within the validation,
    with a checkpoint there, or after the checkpoint of an epoch.

    Each step checks its loss and gradients, and after each epoch, before anything is saved, all
    tensors of the state and both losses are checked. If one is not finite, the state becomes that
    of the last good epoch again; then DivergedError is raised, or that epoch is trained again with
    smaller rates (``recipe.nonfinite``). Raises UserError if a number was not finite before the
    first epoch.

    clock: returns seconds; those of this training alone.
    """
    masks = start_finite(state)
    for observer in observers:
        observer.start(state, recipe, fold)
    wanted = any(observer.losses is not None for observer in observers)
    losses = step_losses_of(fold, recipe) if wanted else None
    trainer = train_runner(state, fold, recipe, losses)
    validator = None
    if fold.val is not None:
        validator = eval_runner(state.averaged, fold.val, fold.standardize, recipe)
    recipe.rehearse(state, fold, recipe)
    started = clock() - state.seconds
    late, stop = time_limit(clock, started, recipe.max_seconds), stop_after_step()
    good = LastGood(state, whole=recipe.nonfinite.max_rollbacks > 0)
    within = Within(observers, masks, late, stop, clock, good)
    while len(state.history) < recipe.max_epochs and not recipe.stop(past(state, recipe)):
        if state.history and late():
            break
        try:
            with postponed():
                metrics = yield from checked_epoch(state, fold, recipe, trainer, validator, within)
                if CUT in metrics and state.history:
                    break
                state.seconds = clock() - started
                metrics |= state.faults.finish()
                state.history.append(Record(len(state.history) + 1, metrics))
                good.keep(state)
                report_losses(state, trainer, observers)
                for observer in observers:
                    observer.epoch(state)
        except DivergedError as error:
            good.restore(state)
            if not may_go_back(state, fold, recipe, error):
                raise ended_after_rollbacks(state, recipe, error) from error
            trainer = train_runner(state, fold, recipe, losses)  # a graph of the new state
        if agreed_to_stop():
            leave()
    epochs = min(len(state.history), recipe.max_epochs)
    refuse_untrained(state, all_steps(recipe.steps(len(fold.train)), epochs), fold.name)


def checked_epoch(
    state: State,
    fold: Fold,
    recipe: Recipe,
    trainer: BatchRunner,
    validator: BatchRunner | None,
    within: Within,
) -> Generator[Next, None, dict[str, float]]:
    """Train and validate one epoch, and check all numbers; yield every step before it is due.

    Returns the metrics. Of an epoch that the time limit has cut nothing else is done, unless it is
    the first. Raises DivergedError if a number is not finite.
    """
    epoch = len(state.history)
    reseed(recipe.seed, epoch)
    metrics = yield from epoch_steps(state, fold, recipe, within.observers, trainer, within)
    if CUT in metrics and state.history:
        return metrics
    refuse_divergence(state, fold, recipe, within.masks)
    refuse_drift(state.model, epoch + 1)
    keep = partial(save_within_epoch, state, within, metrics["seconds"], trainer)
    with interruptible_alone(keep):
        recipe.settle(state, fold, recipe)
        if validator is not None:
            metrics |= run_evaluation(state.averaged, validator).read("val")
    refuse_infinite_loss(metrics, "val", state, fold, recipe)
    return metrics


def time_limit(clock: Callable[[], float], started: float, limit: float) -> Callable[[], bool]:
    """Return a function that tells whether ``limit`` seconds have passed since ``started``."""
    return no_limit if math.isinf(limit) else lambda: decided(clock() >= started + limit)


def ended_by(state: State, recipe: Recipe) -> str:
    """Return why a run ended: ``max_epochs``, ``stop`` or ``max_time``."""
    cut = CUT in state.history[-1].metrics
    if len(state.history) >= recipe.max_epochs and not cut:
        return "max_epochs"
    return "stop" if recipe.stop(past(state, recipe)) else "max_time"


def train_runner(
    state: State, fold: Fold, recipe: Recipe, losses: StepLosses | None = None
) -> BatchRunner:
    """Return a runner that trains a state on a fold; it can be used for every epoch.

    losses: stores the loss of every step; None for never.
    """
    step = make_train_step(state, fold, recipe)
    return BatchRunner(fold.train, step, recipe.training_metrics, recipe, state, losses=losses)


def step_losses_of(fold: Fold, recipe: Recipe) -> StepLosses:
    """Return memory for the loss of each step of an epoch, on the data's device."""
    return StepLosses(recipe.steps(len(fold.train)), fold.train.device)


def report_losses(state: State, trainer: BatchRunner, observers: Sequence[Observer]) -> None:
    """Report the loss of each step of the last epoch to the observers that want them."""
    stored = trainer.meter.losses
    values = stored.read() if stored is not None else []
    for observer in observers:
        if observer.losses is not None:
            observer.losses(state, values)


def train_epoch(
    state: State,
    fold: Fold,
    recipe: Recipe,
    observers: Sequence[Observer] = (),
    trainer: BatchRunner | None = None,
) -> dict[str, float]:
    """Train one epoch and return its metrics; see ``epoch_steps``."""
    trainer = trainer or train_runner(state, fold, recipe)
    return run_steps(epoch_steps(state, fold, recipe, observers, trainer, Within()))


def epoch_steps(
    state: State,
    fold: Fold,
    recipe: Recipe,
    observers: Sequence[Observer],
    trainer: BatchRunner,
    within: Within,
) -> Generator[Next, None, dict[str, float]]:
    """Train one epoch: one step for each of its batches, see ``batches_of_epoch``.

    Yields every step before it is due. A state from a checkpoint within the epoch resumes after the
    steps that were done.

    Returns the mean loss and the training metrics over the epoch, computed while the weights
    changed, the first learning rate of the epoch, its seconds and its examples per second. Raises
    DivergedError if the loss is not finite or a system of equations cannot be solved any more.
    """
    epoch, history = len(state.history), past(state, recipe)
    pieces, passes = batches_of_epoch(fold.train, recipe, epoch)
    steps = len(pieces)  # of a whole epoch; the last one may be a part of one
    pieces = pieces[: steps_left(steps, recipe.max_epochs - epoch)]
    first, earlier = (state.midway["step"], state.midway["seconds"]) if state.midway else (0, 0.0)
    clock = within.clock
    started = clock() - earlier
    last = len(pieces)
    batches: Iterable[tuple[torch.Tensor, ...]] = read_batches(fold.train, pieces[first:])
    for observer in observers:
        batches = observer.watch(batches, last - first)

    set_train_mode(state.model)
    trainer.reset()
    state.faults.start(state.midway and state.midway.get("faults"))
    rates, slower = LearningRates(state.optimizer), rate_factor(state, recipe)

    def set_rate(step: int) -> float:
        now = epoch + step / steps
        return rates.set(recipe.schedule(now, recipe.max_epochs, history) * slower, now)

    rate = set_rate(0)
    if state.midway:
        trainer.meter.load_state_dict(state.midway["meter"], fold.train.device, first)
        restore_rng_states(state.midway["random"])
        state.midway = None
    trainer.done, keeper, late, stop = first, within.keeper, within.late, within.stop
    due = keeper.due if keeper is not None else None
    try:
        for step, batch in enumerate(batches, first):
            set_rate(step)
            trainer.enter_pass(passes[step])
            yield Next(trainer, batch)
            if not state.faults.last:
                recipe.average.update(state.averaged, state.model, epoch * steps + step)
            trainer.done = step + 1
            asked = stop()
            if asked or (due is not None and due() and trainer.done < last):
                refuse_noted(state, fold, recipe, trainer.done, set_rate)
                refuse_divergence(state, fold, recipe, within.masks)
                save_within_epoch(state, within, clock() - started, trainer)
            if asked:
                leave()
            if late():
                break
    except NonFiniteStep as error:
        what = str(error)
        raise diverged(state, fold, recipe, what, step=trainer.done + 1, kind=error.kind) from error
    except torch.linalg.LinAlgError as error:  # pyright: ignore[reportPrivateImportUsage]
        # from numbers that are not finite
        raise diverged(
            state, fold, recipe, str(error).split("\n")[0].rstrip("."), step=trainer.done + 1
        ) from error

    refuse_noted(state, fold, recipe, trainer.done, set_rate)
    say_skipped(state, fold, last)
    trainer.meter.collect()
    metrics, done = trainer.meter.read("train"), trainer.done
    refuse_infinite_loss(metrics, "train", state, fold, recipe)
    cut = {CUT: done / steps} if done < last else {}
    return metrics | {"lr": rate} | speed_of(sum(map(len, pieces[:done])), clock() - started) | cut


def speed_of(examples: int, seconds: float) -> dict[str, float]:
    """Return the seconds of an epoch and its examples per second, as metrics."""
    return {"seconds": seconds, "examples_per_second": examples / seconds}


def refuse_noted(
    state: State, fold: Fold, recipe: Recipe, done: int, set_rate: Callable[[int], float]
) -> None:
    """Raise DivergedError if a step of this epoch was noted as not finite, or all were left out.

    done: the number of steps so far. set_rate: sets the rates of a step from 0, for the message.
    """
    bad = state.faults.since()
    if bad:
        set_rate(done - bad)
        what = "the loss or a gradient is not finite"
        raise diverged(state, fold, recipe, what, step=done - bad + 1)
    if done == state.faults.skipped:
        raise diverged(state, fold, recipe, "all steps were left out, because none was finite")


def save_within_epoch(state: State, within: Within, seconds: float, trainer: BatchRunner) -> None:
    """Let an observer, if there is one, write a checkpoint after the trainer's steps so far.

    seconds: those of the epoch so far.
    """
    if within.keeper is None:
        return
    state.midway = {
        "step": trainer.done,
        "seconds": seconds,
        "meter": trainer.meter.state_dict(),
        "random": rng_states(),
        "faults": state.faults.counts(),
    }
    if within.good is not None:
        state.midway |= within.good.within_epoch(state)
    within.keeper.midway(state)
    state.midway = None


def past(state: State, recipe: Recipe) -> list[float]:
    """Return the monitored values of all epochs so far, with a sign for which larger is better."""
    return scores(state.history, recipe.monitor, recipe.mode)
