"""The loop."""

import math
from collections.abc import Iterable, Sequence
from time import perf_counter

import torch
from torch import Tensor, nn

from dlcourse.core import Fold, Observer, Recipe, Record, Split, Standardize, State, scores
from dlcourse.error import DivergedError
from dlcourse.train.batches import divide, steps_left
from dlcourse.train.meter import Meter
from dlcourse.train.rng import epoch_order, reseed

EVALUATION_BATCH = 512  # without gradients there is room for more than a training batch


def fit(state: State, fold: Fold, recipe: Recipe, observers: Sequence[Observer] = ()) -> State:
    """Train until the epochs are done or ``recipe.stop`` says so; of 9.9 epochs the tenth is cut.

    A fresh, a restored and a finished state enter in the same way: the epoch is the length of the
    history, and all else follows from it. Raises DivergedError when the loss is no number.
    """
    for observer in observers:
        observer.start(state, recipe, fold)
    while len(state.history) < recipe.max_epochs and not recipe.stop(past(state, recipe)):
        epoch = len(state.history)
        reseed(recipe.seed, epoch)
        metrics = train_epoch(state, fold, recipe, observers)
        metrics |= evaluate(state.averaged, fold.val, fold.standardize, recipe, "val")
        state.history.append(Record(epoch + 1, metrics))
        for observer in observers:
            observer.epoch(state)
    return state


def train_epoch(
    state: State, fold: Fold, recipe: Recipe, observers: Sequence[Observer] = ()
) -> dict[str, float]:
    """Take one step for every batch of the training part, in an order of this epoch's own.

    Returns the mean loss and the training metrics over the epoch, measured as the weights moved,
    with the first learning rate of the epoch, its seconds and its examples per second.
    """
    started = perf_counter()
    epoch, history = len(state.history), past(state, recipe)
    order = epoch_order(len(fold.train), recipe.seed, epoch).to(fold.train.device)
    pieces = divide(order, recipe.batch_size)
    steps = len(pieces)  # of a whole epoch; the last one may be a part of one
    pieces = pieces[: steps_left(steps, recipe.max_epochs - epoch)]
    passing: Iterable[tuple[Tensor, Tensor]] = fold.train.batches(pieces)
    for observer in observers:
        passing = observer.watch(passing, len(pieces))

    rate = set_rate(state.optimizer, recipe.schedule(epoch, recipe.max_epochs, history), epoch)
    state.model.train()
    rest_what_is_frozen(state.model)
    meter = Meter(recipe.training_metrics)
    number = torch.full((), epoch, device=fold.train.device)  # torch.tensor would wait for its copy
    for step, ((inputs, targets), index) in enumerate(zip(passing, pieces, strict=True)):
        now = epoch + step / steps
        set_rate(state.optimizer, recipe.schedule(now, recipe.max_epochs, history), now)
        for augment in recipe.augment:
            inputs, targets = augment(inputs, targets, index, number)
        inputs = recipe.prepare(fold.standardize(inputs))
        outputs, loss = recipe.step(state, inputs, targets, recipe)
        recipe.average.update(state.averaged, state.model, epoch * steps + step)
        meter.add(outputs, targets, loss)

    metrics = meter.read("train")
    if not math.isfinite(metrics["train/loss"]):
        raise DivergedError(
            f"Training diverged: the loss is {metrics['train/loss']} in epoch {epoch + 1}, at a "
            f"learning rate of {rate:g}.\nType a smaller optim.lr, for example optim.lr="
            f"{rate / 10:g}, or clip=norm"
        )
    seconds = perf_counter() - started
    speed = {"seconds": seconds, "examples_per_second": meter.examples / seconds}
    return metrics | {"lr": rate} | speed


@torch.no_grad()
def evaluate(
    model: nn.Module, examples: Split | None, standardize: Standardize, recipe: Recipe, split: str
) -> dict[str, float]:
    """Return the mean loss and all metrics over a split, named ``val/loss`` and so on.

    Without examples there are no figures: the result is empty.
    """
    return {} if examples is None else measure(model, examples, standardize, recipe).read(split)


@torch.no_grad()
def measure(
    model: nn.Module, examples: Split, standardize: Standardize, recipe: Recipe, keep: bool = False
) -> Meter:
    """Return the sums of the loss and all metrics over a split, the model as it is when in use.

    keep: gather all outputs and targets as well, for what cannot be told from sums.
    """
    model.eval()
    meter = Meter(recipe.metrics, keep)
    everything = torch.arange(len(examples), device=examples.device)
    for inputs, targets in examples.batches(everything.split(EVALUATION_BATCH)):
        with recipe.autocast():
            outputs = recipe.ask(model, standardize(inputs))
            loss = recipe.loss(outputs.float(), targets)
        meter.add(outputs, targets, loss)
    return meter


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
        group["lr"] = group["initial_lr"] * factor if first <= epoch < last else 0.0
    return optimizer.param_groups[0]["initial_lr"] * factor
