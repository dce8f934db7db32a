"""One fold of a run: prepare it, test it, write its result."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlcourse.core import (
    Dataset,
    FinalTest,
    Fold,
    Observer,
    Recipe,
    State,
    at_least_float32,
    best_epoch,
)
from dlcourse.distributed.collectives import wait_for_all
from dlcourse.distributed.ranks import is_first
from dlcourse.engine import predictions
from dlcourse.engine.assemble import make_recipe, make_state
from dlcourse.engine.autotune import settle
from dlcourse.engine.datasets import examples_to_test, make_fold
from dlcourse.engine.heading import heading
from dlcourse.engine.imbalance import warn_of_imbalance
from dlcourse.engine.instantiate import build
from dlcourse.engine.origin import origin_of
from dlcourse.engine.result import divergence_result, fold_result
from dlcourse.engine.shared_draws import warn_of_shared_draws
from dlcourse.errors import DivergedError, UserError
from dlcourse.guard import guarded
from dlcourse.observe.guarded import Guarded
from dlcourse.runs import run_folder
from dlcourse.runs.labels import run_labels
from dlcourse.runtime import Runtime
from dlcourse.schema.duration import seconds
from dlcourse.schema.facts import fact
from dlcourse.schema.from_environment import storable
from dlcourse.schema.run_files import BEST_WEIGHTS, CHECKPOINTS
from dlcourse.split.part import Part
from dlcourse.terminal.live_line import working
from dlcourse.train.checkpoint import has_checkpoint, read_best, restore
from dlcourse.train.checkpoint_observer import Checkpoint
from dlcourse.train.evaluate import evaluate_split
from dlcourse.train.finite import refuse_infinite_test
from dlcourse.train.meter import Meter
from dlcourse.train.midway import Every


@dataclass(frozen=True)
class PreparedFold:
    """A fold that is ready to be trained, in its folder.

    part: the examples of the fold. options: those that identify the run, for its result.
    """

    state: State
    fold: Fold
    recipe: Recipe
    observers: Sequence[Observer]
    runtime: Runtime
    dataset: Dataset
    part: Part
    options: dict
    config: dict
    folder: Path


def prepare_fold(
    config: dict,
    runtime: Runtime,
    dataset: Dataset,
    part: Part,
    options: dict,
    folder: Path,
    whole: Path,
    folds: int,
    fold: Fold | None = None,
) -> PreparedFold:
    """Return a fold with its state, new or from the last checkpoint, and without observers.

    whole: the folder of the run that the fold belongs to. folds: their number in the run.
    fold: the fold itself where it is made already.
    """
    if fold is None:
        with working(f"computing data.standardize={config['data']['standardize']}"):
            fold = make_fold(config, dataset, part, runtime)
    dataset = replace(dataset, test=examples_to_test(dataset, part))
    runtime = settle(config, runtime, dataset, fold, whole)
    state = restore(
        make_state(config, runtime, dataset, None if has_checkpoint(folder) else fold), folder
    )
    recipe = make_recipe(config, runtime, dataset, fold)
    recipe = replace(recipe, max_seconds=share_of_time(config, folds))
    return PreparedFold(state, fold, recipe, [], runtime, dataset, part, options, config, folder)


def with_observers(
    prepared: PreparedFold,
    whole: Path,
    more: Sequence[Observer],
    turn: tuple[int, int, bool],
    stack: ExitStack,
    make: Callable[[dict], Callable[[Path], Observer]] = build,
) -> PreparedFold:
    """Return a prepared fold with the observers of its config, and ``more`` after them.

    turn: the fold's number from 1, the number of folds, and whether an earlier fold has given the
    observers the run's facts. stack: closes the observers. make: returns what makes an observer in
    a folder, from its config.
    """
    *count, introduced = turn
    one = prepared
    facts = {}
    if not introduced:
        parts = (one.runtime, one.dataset, one.fold, one.state, one.recipe)
        facts = heading(one.config, whole, *parts)
        if is_first():
            with guarded("Counting the examples of each class"):
                warn_of_imbalance(one.config, one.dataset, one.fold)
            warn_of_shared_draws(one.config, one.fold, one.recipe)
    origin = origin_of(one.config, one.dataset)
    observers = start_observers(one.config, one.folder, origin, facts, count, stack, make)
    observers += more  # last, because they may end the run
    return replace(prepared, observers=observers)


def start_observers(
    config: dict,
    folder: Path,
    origin: dict[str, Any],
    facts: dict[str, str],
    count: Sequence[int],
    stack: ExitStack,
    make: Callable[[dict], Callable[[Path], Observer]] = build,
) -> list[Observer]:
    """Make a fold's checkpoints and the observers of the config; the stack closes them.

    origin: what the run was started with, for its checkpoints.
    facts: the run's, from ``heading``; empty if an earlier fold has shown them. count: the fold's
    number from 1, and the number of folds. make: as in ``with_observers``.
    """
    every = config.get("checkpoint_every")
    observers: list[Observer] = [
        Checkpoint(folder, None if every is None else Every(every), origin)
    ]
    for name, node in config["observe"].items() if is_first() else ():
        observer = Guarded(name, make(node), folder)
        stack.callback(observer.close)
        observer.introduce(facts, *count)
        observers.append(observer)
    return observers


def share_of_time(config: dict, folds: int) -> float:
    """Return the seconds that a fold may train: all folds have the same share of ``max_time``."""
    limit = seconds(config.get("max_time"))
    return math.inf if limit is None else limit / folds


def evaluate_test_part(prepared: PreparedFold) -> Meter:
    """Put the best weights of a trained fold into its model; evaluate it on the test examples.

    Raises DivergedError if the loss is not finite.
    """
    wait_for_all()  # rank 0 has written the weights
    epoch, _ = read_best(prepared.state.model, prepared.folder)
    refuse_other_best(prepared, epoch)
    test = prepared.dataset.test.to(prepared.runtime.device)
    meter = evaluate_split(
        prepared.state.model, test, prepared.fold.standardize, prepared.recipe, keep=True
    )
    refuse_infinite_test(meter.read("test"), epoch, prepared.fold.name)
    return meter


def refuse_other_best(prepared: PreparedFold, epoch: int) -> None:
    """Raise UserError if ``best.pt`` holds the weights of another epoch than the best one."""
    recipe = prepared.recipe
    best = best_epoch(prepared.state.history, recipe.monitor, recipe.mode)
    if epoch != best:
        raise UserError(
            f"{prepared.folder / BEST_WEIGHTS} holds the weights of epoch {epoch}, and epoch "
            f"{best} was best.\nDelete {prepared.folder / CHECKPOINTS} and resume: this run (or "
            "this fold) is then trained again from epoch 1"
        )


def evaluate_val_part(prepared: PreparedFold) -> Meter | None:
    """Evaluate a fold's best weights on its validation examples; return None without any."""
    fold = prepared.fold
    if fold.val is None:
        return None
    return evaluate_split(
        prepared.state.model, fold.val, fold.standardize, prepared.recipe, keep=True
    )


def record_divergence(prepared: PreparedFold, error: DivergedError) -> None:
    """Write a result if only the validation diverged, and inform the observers."""
    state = prepared.state
    if state.history and error.only_val:
        result = divergence_result(
            state, prepared.recipe, prepared.fold, prepared.dataset, prepared.runtime, str(error)
        )
        known = {"options": prepared.options, **run_labels(storable(prepared.config))}
        run_folder.write_result(prepared.folder, result | known)
    for observer in prepared.observers:
        observer.diverged(state)


def stores_predictions(prepared: PreparedFold) -> bool:
    """Return whether a fold's outputs on its validation and test examples are written.

    Outputs of a run without folds are left out if they are very many, as reconstructed images are.
    """
    dataset, val = prepared.dataset, prepared.fold.val
    examples = len(dataset.test) + (0 if val is None else len(val))
    return prepared.part.name != "." or predictions.few_enough(examples, dataset.output_size)


def store_predictions(prepared: PreparedFold, meter: Meter) -> None:
    """Write a fold's outputs on its validation and test examples, unless they are very many.

    meter: of the test examples.
    """
    if not stores_predictions(prepared):
        return
    dataset, part, val = prepared.dataset, prepared.part, prepared.fold.val
    with guarded(f"Writing the predictions of {prepared.folder}"):
        val_meter = evaluate_val_part(prepared)
        made = predictions.gather(part.val, val_meter, meter)
        ids = predictions.ids_of(val, dataset.test)
        predictions.write_predictions(prepared.folder, made, ids)


def finish_fold(prepared: PreparedFold, meter: Meter) -> dict:
    """Write and return the result of a trained fold, then let the observers finish.

    Its outputs on the validation and test examples are written as well. The result is written
    before the observers finish, so that no observer's error can prevent it.

    meter: of the test examples, from ``evaluate_test_part``.
    """
    state, fold, recipe = prepared.state, prepared.fold, prepared.recipe
    store_predictions(prepared, meter)
    result = fold_result(state, recipe, fold, prepared.dataset, prepared.runtime, meter)
    result |= {"options": prepared.options, **run_labels(storable(prepared.config))}
    run_folder.write_result(prepared.folder, result)
    outputs, targets = meter.kept_outputs()
    kind = fact(prepared.config["loss"], "outputs")
    for observer in prepared.observers:
        observer.tested(FinalTest(prepared.dataset, at_least_float32(outputs), targets, kind))
    for observer in prepared.observers:
        observer.finish(state, result)
    return result
