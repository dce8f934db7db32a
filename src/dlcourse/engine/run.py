"""Run one experiment: train and test every fold of a config, and write the result."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dlcourse import atomic_files
from dlcourse.core import AllFolds, Dataset, Observer
from dlcourse.distributed.agreement import refuse_different
from dlcourse.distributed.collectives import in_turn
from dlcourse.engine import fingerprint, predictions, same_data
from dlcourse.engine.cross_validation import pooled_metrics
from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.engine.folds import OpenRun
from dlcourse.engine.instantiate import build, build_all
from dlcourse.engine.lanes import train_folds
from dlcourse.engine.origin import (
    read_origins,
    refuse_edited_config,
    refuse_replaced_fingerprint,
    say_other_machine,
)
from dlcourse.engine.result import mean_of_folds
from dlcourse.engine.resume import move_the_end
from dlcourse.engine.stored_encoding import write_encoding
from dlcourse.errors import DivergedError, UserError
from dlcourse.guard import guarded
from dlcourse.observe.guarded import Guarded
from dlcourse.runs import run_folder, start_record
from dlcourse.runs.labels import change_labels, run_labels
from dlcourse.runtime import Runtime
from dlcourse.schema import run_files
from dlcourse.schema.from_environment import storable
from dlcourse.schema.overrides import is_free, key_of, leaves
from dlcourse.split.part import Part
from dlcourse.terminal.live_line import working
from dlcourse.train.checkpoint import has_checkpoint, history_of

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
    load: Callable[[dict], Dataset] | None = None,
) -> float:
    """Train and test one run in its folder; return the best value of ``monitor``.

    The arguments are those of ``engine.job.run_job``. A new run is started, a stopped one resumed,
    and a finished one not run again. In cross-validation the value is the mean over the folds.

    Raises UserError for a config that cannot be run, and DivergedError.
    """
    with ExitStack() as stack, recording_divergence(folder):
        opened = open_run(config, folder, overrides, hydra, observers, hparam_keys, stack, load)
        if opened is None:
            result = run_folder.read_result(folder)
            assert result is not None  # of a finished run
        else:
            result = close_run(opened, train_folds(opened))
        return result["best"]


def open_run(
    config: dict,
    folder: Path,
    overrides: Sequence[str],
    hydra: str,
    observers: Sequence[Observer],
    hparam_keys: Sequence[str] | None,
    stack: ExitStack,
    load: Callable[[dict], Dataset] | None = None,
) -> OpenRun | None:
    """Lock a run's folder, record the run's start and read its data; None for a finished run.

    stack: unlocks the folder.
    load: returns the data set of a config; None for ``load_data``. The others are those of ``run``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stack.enter_context(run_folder.locked(folder))
    moved = start_record.record(folder, config, list(overrides), hydra)
    change_labels(folder, config)
    if run_folder.read_result(folder) is not None and not moved:
        return None
    origins = read_origins(folder)
    refuse_edited_config(origins, folder, config)
    atomic_files.remove_leftovers(folder)
    build_all(config)
    runtime: Runtime = build(config["runtime"])()
    with runtime.loading_libraries(), working("reading the data"):
        dataset = in_turn(load or load_data, config)
    parts = split_training_data(config, dataset)
    record_fingerprint(folder, dataset, parts, origins)
    if moved:
        move_the_end(config, folder, list(overrides))
    say_other_devices(config, folder, parts)
    say_other_machine(origins)
    refuse_different(config, fingerprint.in_short(dataset, parts))
    options = chosen_options(config, folder, hparam_keys)
    return OpenRun(config, folder, runtime, dataset, parts, options, observers)


def say_other_devices(config: dict, folder: Path, parts: Sequence[Part]) -> None:
    """Print one line if a run is resumed on another number of devices than it was started on.

    Raises UserError if the result would depend on it.
    """
    stored, now = start_record.stored_config(folder)["runtime"], storable(config)["runtime"]
    before, devices = stored.get("devices", 1), now.get("devices", 1)
    if devices == before or not any(has_checkpoint(folder / part.name) for part in parts):
        return
    if now.get("batch_norm") == "per_device":
        raise UserError(
            f"With runtime.batch_norm=per_device the result depends on the number of devices: "
            f"this run was started on {before}.\nType resume={folder} runtime.devices={before}"
        )
    line = (
        f"The run was started on {before} device{'s' * (before > 1)} and is resumed on {devices}: "
        "the same batches, sums that are rounded in another order"
    )
    log.info(line)
    print(line, flush=True)


@contextmanager
def recording_divergence(folder: Path) -> Iterator[None]:
    """Record in a run's folder that the block has raised DivergedError."""
    try:
        yield
    except DivergedError as error:
        run_folder.write_divergence(folder, str(error))
        raise


def close_run(run: OpenRun, results: list[dict]) -> dict:
    """Return a run's result from those of its folds; in cross-validation it is written here."""
    if run.parts[0].name == ".":
        return results[0]
    names = [part.name for part in run.parts]
    result = mean_of_folds(results, names)
    with guarded("What all folds predict together", UserError):
        result |= pooled_metrics(run.config, run.dataset, run.parts, run.folder)
    result |= run_labels(storable(run.config))
    run_folder.write_result(run.folder, result)
    observe_all_folds(run.config, run.folder, names, result)
    return result


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


def record_fingerprint(
    folder: Path, dataset: Dataset, parts: Sequence[Part], origins: Sequence[Mapping[str, Any]]
) -> None:
    """Record a run's fingerprint; raises UserError if the run was started with other data.

    origins: from ``read_origins``.
    """
    known = fingerprint.with_division(dataset, parts)
    same_data.refuse_other_data(folder, known)
    refuse_replaced_fingerprint(origins, folder, known)
    if not (folder / run_files.DATA).exists():
        if any(has_checkpoint(folder / part.name) for part in parts):
            log.warning(
                "This run was started before dlcourse recorded the data of a run: whether they are "
                "still the same cannot be checked"
            )
        fingerprint.write_fingerprint(folder, known)
    if dataset.encoding is not None:
        write_encoding(folder, dataset.encoding)


def chosen_options(
    config: dict, folder: Path, hparam_keys: Sequence[str] | None
) -> dict[str, str | float]:
    """Return the options that identify a run: by default the main ones and those that were typed.

    For example ``{"data": "digits", "model": "lenet", "optim": "adam", "optim.lr": 0.001, ...}``.
    """
    values = dict(leaves(storable(config)))
    values |= start_record.stored_choices(folder)
    if hparam_keys is None:
        typed = map(key_of, start_record.stored_overrides(folder))
        hparam_keys = [*MAIN_OPTIONS, *(key for key in typed if not is_free(key))]
    return {key: as_hparam(values[key]) for key in dict.fromkeys(hparam_keys) if key in values}


def as_hparam(value: Any) -> str | float:
    """Return a value as TensorBoard takes it: a number, a boolean or a string."""
    return value if isinstance(value, bool | int | float | str) else str(value)
