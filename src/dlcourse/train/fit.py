"""The loop."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn

from dlcourse.core import Fold, Observer, Recipe, Record, State, scores
from dlcourse.train.batch_runner import Round
from dlcourse.train.batches import all_steps, divide, steps_left
from dlcourse.train.evaluate import look_over, looking
from dlcourse.train.finite import (
    diverged,
    refuse_divergence,
    refuse_infinite_loss,
    refuse_untrained,
    start_finite,
)
from dlcourse.train.midway import draws, restore_draws
from dlcourse.train.rng import epoch_order, reseed

CUT = "share_of_epoch"
"""A record's share of an epoch, where ``max_time`` ended the very first one."""


@dataclass(frozen=True)
class Within:
    """What may happen between two steps of an epoch.

    observers: of which one may write checkpoints. masks: buffers that may be infinite. until: when
    the run's time is over, by ``perf_counter``.
    """

    observers: Sequence[Observer] = ()
    masks: Sequence[str] = ()
    until: float = math.inf

    @property
    def keeper(self) -> Observer | None:
        """The observer that looks at the state within an epoch."""
        return next((observer for observer in self.observers if observer.due is not None), None)


def fit(
    state: State,
    fold: Fold,
    recipe: Recipe,
    observers: Sequence[Observer] = (),
) -> State:
    """Train until the epochs or the time are over, or ``recipe.stop`` ends it.

    Of 9.9 epochs the tenth is cut. An epoch that the time ends is dropped, unless it is the first.

    A fresh, a restored and a finished state enter in the same way: the epoch is the length of the
    history, and all else follows from it.

    After each epoch, before anything is saved, every number of the state and both losses are
    checked. Raises DivergedError where one is not finite, and UserError where one was not finite
    from the start.
    """
    masks = start_finite(state)
    for observer in observers:
        observer.start(state, recipe, fold)
    training = learning(state, fold, recipe)
    validation = fold.val and looking(state.averaged, fold.val, fold.standardize, recipe)
    started = perf_counter() - state.seconds
    until = started + recipe.max_seconds
    while len(state.history) < recipe.max_epochs and not recipe.stop(past(state, recipe)):
        if state.history and perf_counter() >= until:
            break
        epoch = len(state.history)
        reseed(recipe.seed, epoch)
        within = Within(observers, masks, until)
        metrics = train_epoch(state, fold, recipe, observers, training, within)
        if CUT in metrics and state.history:
            break
        refuse_divergence(state, epoch, fold.name, masks)
        if validation:
            metrics |= look_over(state.averaged, validation).read("val")
            refuse_infinite_loss(metrics, "val", state, epoch, fold.name)
        state.seconds = perf_counter() - started
        state.history.append(Record(epoch + 1, metrics))
        for observer in observers:
            observer.epoch(state)
    epochs = min(len(state.history), recipe.max_epochs)
    refuse_untrained(state, all_steps(len(fold.train), recipe.batch_size, epochs), fold.name)
    return state


def ended_by(state: State, recipe: Recipe) -> str:
    """Return what has ended a run: ``max_epochs``, ``stop`` or ``max_time``."""
    cut = CUT in state.history[-1].metrics
    if len(state.history) >= recipe.max_epochs and not cut:
        return "max_epochs"
    return "stop" if recipe.stop(past(state, recipe)) else "max_time"


def learning(state: State, fold: Fold, recipe: Recipe) -> Round:
    """Return what training does with each batch; one serves for all epochs."""

    def learn(
        inputs: Tensor, targets: Tensor, index: Tensor, epoch: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        for augment in recipe.augment:
            inputs, targets = augment(inputs, targets, index, epoch)
        inputs = recipe.prepare(fold.standardize(inputs))
        outputs, loss = recipe.step(state, inputs, targets, recipe)
        return outputs, targets, loss

    return Round(fold.train, learn, recipe.training_metrics, recipe, state)


def train_epoch(
    state: State,
    fold: Fold,
    recipe: Recipe,
    observers: Sequence[Observer] = (),
    training: Round | None = None,
    within: Within | None = None,
) -> dict[str, float]:
    """Take one step for every batch of the training part, in an order of this epoch's own.

    A state from a checkpoint within the epoch takes the steps that are left. within: what may
    happen between two steps.

    Returns the mean loss and the training metrics over the epoch, measured as the weights moved,
    with the first learning rate of the epoch, its seconds and its examples per second. Raises
    DivergedError where the loss is not finite or a system of equations can no longer be solved.
    """
    training, within = training or learning(state, fold, recipe), within or Within()
    epoch, history = len(state.history), past(state, recipe)
    order = epoch_order(len(fold.train), recipe.seed, epoch).to(fold.train.device)
    pieces = divide(order, recipe.batch_size)
    steps = len(pieces)  # of a whole epoch; the last one may be a part of one
    pieces = pieces[: steps_left(steps, recipe.max_epochs - epoch)]
    first, earlier = (state.midway["step"], state.midway["seconds"]) if state.midway else (0, 0.0)
    started = perf_counter() - earlier
    last = len(pieces)
    passing: Iterable[tuple[Tensor, ...]] = fold.train.ahead(pieces[first:])
    for observer in observers:
        passing = observer.watch(passing, last - first)

    rate = set_rate(state.optimizer, recipe.schedule(epoch, recipe.max_epochs, history), epoch)
    state.model.train()
    rest_what_is_frozen(state.model)
    training.begin(epoch)
    if state.midway:
        training.meter.restore(state.midway["meter"], fold.train.device)
        restore_draws(state.midway["random"])
        state.midway = None
    done, keeper, until = first, within.keeper, within.until
    try:
        for step, batch in enumerate(passing, first):
            now = epoch + step / steps
            set_rate(state.optimizer, recipe.schedule(now, recipe.max_epochs, history), now)
            training.take(*batch)
            recipe.average.update(state.averaged, state.model, epoch * steps + step)
            done = step + 1
            if keeper is not None and keeper.due() and done < last:
                refuse_divergence(state, epoch, fold.name, within.masks)
                keep(state, keeper, done, perf_counter() - started, training)
            if perf_counter() >= until:
                break
    except torch.linalg.LinAlgError as error:  # of numbers that are not finite
        raise diverged(state, epoch, fold.name, str(error).split("\n")[0].rstrip(".")) from error

    metrics = training.meter.read("train")
    refuse_infinite_loss(metrics, "train", state, epoch, fold.name)
    seconds = perf_counter() - started
    speed = {"seconds": seconds, "examples_per_second": sum(map(len, pieces[:done])) / seconds}
    cut = {CUT: done / steps} if done < last else {}
    return metrics | {"lr": rate} | speed | cut


def keep(state: State, keeper: Observer, step: int, seconds: float, training: Round) -> None:
    """Let a state be kept in the middle of an epoch, after this many of its steps and seconds."""
    state.midway = {
        "step": step,
        "seconds": seconds,
        "meter": training.meter.content(),
        "random": draws(),
    }
    keeper.midway(state)
    state.midway = None


def past(state: State, recipe: Recipe) -> list[float]:
    """Return the monitored figures so far, larger is better."""
    return scores(state.history, recipe.monitor, recipe.mode)


def rest_what_is_frozen(model: nn.Module) -> None:
    """Leave parts that do not learn as they are in use: norm statistics stay, dropout is off."""
    for part in model.modules():
        learns = [parameter.requires_grad for parameter in part.parameters()]
        if learns and not any(learns):
            part.eval()


def set_rate(optimizer: torch.optim.Optimizer, factor: float, epoch: float) -> float:
    """Set every group's learning rate to ``factor`` times its base rate; return the first one's.

    A group that learns in some epochs only, from ``group["learns"][0]`` to before the other, has
    the rate 0 in all others; what is returned does not tell of it.
    """
    for group in optimizer.param_groups:
        first, last = group.get("learns", (0.0, math.inf))
        rate = group["initial_lr"] * factor if first <= epoch < last else 0.0
        if not isinstance(group["lr"], Tensor):
            group["lr"] = rate
        elif group.get("told") != rate:  # a captured step reads it where it lies
            group["lr"].fill_(rate)
            group["told"] = rate
    return optimizer.param_groups[0]["initial_lr"] * factor
