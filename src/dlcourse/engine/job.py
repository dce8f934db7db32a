"""Run one job in its folder; log and print its results, or how it failed."""

import logging
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.distributed.ranks import this_rank
from dlcourse.engine.hidden_secrets import hidden_in_logs
from dlcourse.engine.on_ranks import run_on_ranks
from dlcourse.engine.unfinished import file_error, memory_error
from dlcourse.errors import (
    LostRankError,
    Message,
    OutOfMemoryError,
    OwnCodeError,
    PrunedError,
    RankError,
    UserError,
)
from dlcourse.guard import guarded
from dlcourse.machine.frozen_import import frozen_import
from dlcourse.runs import run_folder
from dlcourse.runs.messages import folds_table
from dlcourse.schema.run_files import CONFIG, LOG, PLOTS
from dlcourse.schema.trust import foreign, to_type
from dlcourse.terminal.command import dashboard, own_name
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.live_line import columns, on_terminal, working
from dlcourse.terminal.out_of_memory import free_memory, is_out_of_memory
from dlcourse.terminal.refused import refused_by_the_system
from dlcourse.terminal.stop_signals import resumable_by
from dlcourse.terminal.user_code import user_code_message

if TYPE_CHECKING:
    from dlcourse.core import Dataset, Observer

WIDE = 200  # columns, without a terminal

log = logging.getLogger(__name__)


def run_job(
    config: dict,
    folder: Path,
    overrides: Sequence[str],
    *,
    hydra: str = "",
    new_folder: bool = False,
    observers: "Sequence[Observer]" = (),
    hparam_keys: Sequence[str] | None = None,
    load: "Callable[[dict], Dataset] | None" = None,
) -> dict:
    """Train and test one run in its folder, start or resume it; return its result.

    The command line, the workers of a sweep and Python all call this, with a config that is
    composed and checked (``schema.compose.compose_job``, ``schema.validate.check``). It can be
    called any number of times in one process. All its input is in the arguments; the caller sets
    up logging, and chooses the exit status for an error.

    config: a plain, resolved dict, without the options of Hydra and of a sweep.
    folder: an existing folder; a run in it is resumed, and a finished run only reported.
    overrides: those that config was composed with, without Hydra's: ``["model=mlp", "seed=3"]``.
    hydra: Hydra's part of the composed config as YAML; recorded in ``.hydra/hydra.yaml``, from
        which the names of the chosen options are read.
    new_folder: whether the folder was made for this run. Then a UserError removes it.
    observers: called after those of the config.
    hparam_keys: keys of the config that distinguish this run, for tables and TensorBoard; None for
        ``engine.run.MAIN_OPTIONS`` and the keys of the overrides.
    load: returns the data set of the config, for data that are only in this process.

    Returns the content of ``result.json``, with NaN for an undefined metric.

    Raises UserError for a config that cannot be run, DivergedError if the loss is not finite,
    PrunedError if an observer ends the run, RankError if one of several processes has ended,
    OwnCodeError for an error in a run that calls code outside dlcourse, FileError if the system
    refuses a file, OutOfMemoryError, and KeyboardInterrupt or SystemExit (a signal) after a message
    how to resume.
    """
    run = run_of(config)
    with hidden_in_logs(config), explaining(config, folder, new_folder=new_folder):
        own = {} if load is None else {"load": load}
        run(config, folder, overrides, hydra, observers, hparam_keys, **own)
    report(folder, short_path(folder))
    result = run_folder.read_result(folder)
    assert result is not None  # ``run`` returns only when it is written
    return result


@contextmanager
def explaining(config: dict, folder: Path, *, new_folder: bool = False) -> Iterator[None]:
    """Write an error of the block to train.log, and say how to resume an interrupted run.

    The arguments are those of ``run_job``. Raises what the block raises. An unexpected error is
    replaced by a FileError for a file that the system refuses, by an OutOfMemoryError, and by an
    OwnCodeError in a run that calls code outside dlcourse.
    """
    shown = short_path(folder)
    ending: Exception | None = None
    try:
        with resumable_by(partial(to_resume_if_started, folder, shown, config)):
            yield
    except (RankError, LostRankError) as error:
        log.info("%s", error)
        raise RankError(f"{error_of_rank(error)}\nTo resume: {to_resume(shown, config)}") from error
    except (Message, OwnCodeError, PrunedError) as error:
        described = isinstance(error, OwnCodeError)  # by the rank in which it was raised
        log.info("%s", error, exc_info=described)
        if new_folder and isinstance(error, UserError):
            run_folder.discard(folder)
        raise
    except Exception as error:
        log.info("%s", error, exc_info=True)  # only to train.log; the caller prints it
        ending = described_error(error, config, folder, new_folder)
        if ending is None:
            raise
        if not isinstance(ending, OutOfMemoryError):
            raise ending from error
    if ending is not None:  # raised here, where the error that holds the memory is gone
        free_memory()
        raise ending


def described_error(
    error: Exception, config: dict, folder: Path, new_folder: bool
) -> Exception | None:
    """Return the error to raise in the place of an unexpected one; None to raise it as it is.

    The arguments are those of ``explaining``.
    """
    if is_out_of_memory(error):
        return memory_error(error, config)
    refused = refused_by_the_system(error)
    if user_code_message(error):
        return None
    if refused is not None:
        found = file_error(refused, folder, to_resume(short_path(folder), config))
        if new_folder and not (folder / CONFIG).exists():
            with suppress(OSError):
                run_folder.discard(folder)
        return found
    if own := foreign(config):
        return OwnCodeError(
            f"{type(error).__name__}: {error}\n"
            f"{', '.join(own)}, which is not dlcourse's, took part in this run: look at what "
            f"it takes and returns.\nThe traceback is in {short_path(folder)}/{LOG}"
        )
    return None


def to_resume(shown: str, config: dict) -> str:
    """Return the command that resumes a run; shown: its folder as the user types it."""
    return f"{own_name()} resume={shown} {to_type(config)}".rstrip()


def to_resume_if_started(folder: Path, shown: str, config: dict) -> str:
    """Return the command that resumes a run, or an empty text if its config is not stored yet."""
    return to_resume(shown, config) if (folder / CONFIG).exists() else ""


def error_of_rank(error: RankError | LostRankError) -> str:
    """Return why a run on several devices has ended, as far as this process knows."""
    if isinstance(error, RankError):
        return str(error)
    return (
        "The connection to another rank has ended: its process has failed or was killed, and "
        "torchrun names it."
    )


def run_of(config: dict) -> Callable[..., float]:
    """Return the function that trains a run: here, or in a process for each of its devices."""
    if config["runtime"].get("devices", 1) > 1 and not this_rank().joined:
        return run_on_ranks
    with working("importing PyTorch", plain=False):
        load = frozen_import if config["runtime"]["fast_paths"] else import_module
        return load("dlcourse.engine.run").run  # torch, only now that the config is valid


def report(folder: Path, shown: str) -> None:
    """Print the table of a cross-validation, the run's folder, and how to see what is in it."""
    with guarded("The summary on the screen"):
        table = folds_table(
            run_folder.read_result(folder) or {}, columns() if on_terminal() else WIDE
        )
        if table:
            print("\n".join(["", *table]))
        print(f"Results are in {shown}", flush=True)
        if any((folder / PLOTS).glob("*.png")):
            print(f"Plots are in {shown}/{PLOTS}")
            print(f"For one page on the run: {own_name('report')} {shlex.quote(shown)}", flush=True)
        if any(folder.glob("**/events.out.tfevents*")):
            print(f"In TensorBoard: {dashboard(shown)}", flush=True)
