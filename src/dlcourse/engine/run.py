"""Run one experiment: train and test every fold of a config, and write the result."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dlcourse.core import AllFolds, Dataset, Observer
from dlcourse.engine import fingerprint, predictions, same_data
from dlcourse.engine.cross_validation import pooled_metrics
from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.engine.fold import (
    evaluate_test_part,
    finish_fold,
    prepare_fold,
    record_divergence,
)
from dlcourse.engine.instantiate import build, build_all
from dlcourse.engine.result import mean_of_folds
from dlcourse.engine.resume import move_the_end
from dlcourse.errors import DivergedError, UserError
from dlcourse.guard import guarded
from dlcourse.observe.guarded import Guarded
from dlcourse.runs import run_folder, start_record
from dlcourse.runtime import Runtime
from dlcourse.schema import run_files
from dlcourse.schema.overrides import is_free, key_of, leaves
from dlcourse.split.part import Part
from dlcourse.terminal.live_line import working
from dlcourse.train.checkpoint import has_checkpoint, history_of
from dlcourse.train.fit import fit

log = logging.getLogger(__name__)

MAIN_OPTIONS = ("data", "model", "optim", "optim.lr", "batch_size", "seed")
"""The options that identify a run in TensorBoard and in tables, with those that were typed."""


def run(
    config: dict,
    folder: Path,
    overrides: Sequence[str] = (),
    hydra: str = "",
    observers: Sequence[Observer] = (),
    hparam_keys: Sequence[str] | None = None,
) -> float:
    """Train and test one run in its folder; return the best value of ``monitor``.

    The arguments are those of ``engine.job.run_job``. A new run is started, a stopped one resumed,
    and a finished one not run again. In cross-validation the value is the mean over the folds.

    Raises UserError for a config that cannot be run, and DivergedError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with run_folder.locked(folder):
        moved = start_record.record(folder, config, list(overrides), hydra)
        result = run_folder.read_result(folder)
        if result is None or moved:
            try:
                moving = list(overrides) if moved else None
                result = run_folds(config, folder, observers, hparam_keys, moving)
            except DivergedError as error:
                run_folder.write_divergence(folder, str(error))
                raise
        return result["best"]


def run_folds(
    config: dict,
    folder: Path,
    extra_observers: Sequence[Observer],
    hparam_keys: Sequence[str] | None,
    moving: list[str] | None,
) -> dict:
    """Train and test every fold that is not done yet; write the run's result, and return it.

    moving: the overrides of a command that changes the run's end, else None.
    """
    build_all(config)
    runtime: Runtime = build(config["runtime"])()
    with runtime.loading_libraries(), working("reading the data"):
        dataset = load_data(config)
    parts = split_training_data(config, dataset)
    record_fingerprint(folder, dataset, parts)
    if moving is not None:
        move_the_end(config, folder, moving)
    options = chosen_options(config, folder, hparam_keys)
    results, introduced = [], False
    for number, part in enumerate(parts, 1):
        place = folder / part.name
        place.mkdir(exist_ok=True)
        result = run_folder.read_result(place)
        if result is None or not (part.name == "." or predictions.has_predictions(place)):
            turn = (number, len(parts), introduced)
            result = run_fold(
                config, runtime, dataset, part, options, place, folder, extra_observers, turn
            )
            introduced = True
            runtime.release_memory()
        results.append(result)
    if parts[0].name == ".":
        return results[0]
    names = [part.name for part in parts]
    result = mean_of_folds(results, names)
    with guarded("What all folds predict together", UserError):
        result |= pooled_metrics(config, dataset, parts, folder)
    run_folder.write_result(folder, result)
    observe_all_folds(config, folder, names, result)
    return result


def run_fold(
    config: dict,
    runtime: Runtime,
    dataset: Dataset,
    part: Part,
    options: dict,
    folder: Path,
    whole: Path,
    extra_observers: Sequence[Observer],
    turn: tuple[int, int, bool],
) -> dict:
    """Train one fold, test its best weights once, and write its result; return the result.

    whole: the folder of the run that the fold belongs to. turn: the fold's number from 1, the
    number of folds, and whether an earlier fold has given the observers the run's facts.
    """
    with ExitStack() as stack:
        prepared = prepare_fold(
            config, runtime, dataset, part, options, folder, whole, extra_observers, turn, stack
        )
        try:
            fit(prepared.state, prepared.fold, prepared.recipe, prepared.observers)
            meter = evaluate_test_part(prepared)
        except DivergedError as error:
            record_divergence(prepared, error)
            raise
        return finish_fold(prepared, meter)


def observe_all_folds(config: dict, folder: Path, names: Sequence[str], result: dict) -> None:
    """Let the observers that define ``finish_folds`` observe a finished cross-validation.

    names: of the folds' folders.
    """
    made = {name: build(node) for name, node in config["observe"].items()}
    wanted = {
        name: make
        for name, make in made.items()
        if getattr(make.func, "finish_folds", Observer.finish_folds) is not Observer.finish_folds
    }
    if not wanted:
        return
    with guarded("Collecting all folds for their plots"), ExitStack() as stack:
        outputs, targets = predictions.read_pooled(folder)
        histories = {name: history_of(folder / name) for name in names}
        folds = AllFolds(histories, outputs, targets, result)
        for name, make in wanted.items():
            observer = Guarded(name, make, folder)
            stack.callback(observer.close)
            observer.finish_folds(folds)


def record_fingerprint(folder: Path, dataset: Dataset, parts: Sequence[Part]) -> None:
    """Record a run's fingerprint; raises UserError if the run was started with other data."""
    known = fingerprint.with_division(dataset, parts)
    same_data.refuse_other_data(folder, known)
    if not (folder / run_files.DATA).exists():
        if any(has_checkpoint(folder / part.name) for part in parts):
            log.warning(
                "This run was started before dlcourse recorded the data of a run: whether they are "
                "still the same cannot be checked"
            )
        fingerprint.write_fingerprint(folder, known)


def chosen_options(
    config: dict, folder: Path, hparam_keys: Sequence[str] | None
) -> dict[str, str | float]:
    """Return the options that identify a run: by default the main ones and those that were typed.

    For example ``{"data": "digits", "model": "lenet", "optim": "adam", "optim.lr": 0.001, ...}``.
    """
    values = dict(leaves(config))
    values |= start_record.stored_choices(folder)
    if hparam_keys is None:
        typed = map(key_of, start_record.stored_overrides(folder))
        hparam_keys = [*MAIN_OPTIONS, *(key for key in typed if not is_free(key))]
    return {key: as_hparam(values[key]) for key in dict.fromkeys(hparam_keys) if key in values}


def as_hparam(value: Any) -> str | float:
    """Return a value as TensorBoard takes it: a number, a boolean or a string."""
    return value if isinstance(value, bool | int | float | str) else str(value)
