"""Search with Optuna, which chooses points by the results of earlier ones.

Reference: Akiba, Sano, Yanase, Ohta, Koyama, "Optuna: a next-generation hyperparameter
optimization framework", KDD 2019. ``tpe``: Bergstra, Bardenet, Bengio, Kegl, "Algorithms for
hyper-parameter optimization", NIPS 2011. ``hyperband``: Li, Jamieson, DeSalvo, Rostamizadeh,
Talwalkar, "Hyperband", JMLR 18, 2018; ``halving``: Jamieson, Talwalkar, AISTATS 2016.
"""

import math
import platform
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from time import sleep
from typing import Any
from zlib import crc32

from dlcourse.errors import UserError
from dlcourse.random_streams import Purpose, mix
from dlcourse.schema.passwords import without_password
from dlcourse.sweep.conditional_keys import ConditionalKeys
from dlcourse.sweep.manifest import read_manifest
from dlcourse.sweep.methods.search import JobState, Trial
from dlcourse.sweep.search_space import Space
from dlcourse.terminal.extras import require

JOURNAL = "study.journal"
FOLDER_ATTRIBUTE = "sweep"  # the attribute of a trial that names the sweep's folder


class Study:
    """A search by a study of Optuna, which can be resumed after a kill.

    A job gets the values of its trial rounded to six digits.

    folder: the sweep's; the journal is stored there unless ``storage`` is a URL. mode: max or min.
    trials: the number of trials in the whole study. startup: the number of trials before the
    sampler and the median pruner use results. patience: epochs before a trial may be pruned.

    Raises UserError if Optuna is missing or the storage cannot be reached.
    """

    def __init__(
        self,
        conditional: ConditionalKeys,
        folder: Path,
        mode: str,
        *,
        trials: int,
        sampler: str,
        pruner: str,
        startup: int,
        patience: int,
        seed: int,
        storage: str | None,
        study: str | None,
    ) -> None:
        self.optuna = import_optuna()
        self.conditional, self.folder, self.trials = conditional, folder, trials
        self.prunes = pruner != "none"
        store = self.journal() if storage is None else storage
        # the journal of a folder that was renamed has its study under the old name
        own = self.optuna.get_all_study_names(store) if storage is None else []
        self.study = self.open(store, study or next(iter(own), folder.name), mode)
        known = self.study.get_trials(deepcopy=False)
        # after a kill and on another machine the seed differs, so that other values are drawn
        shift = crc32(machine_and_folder(folder)) if storage is not None else 0
        drawn = mix(seed, len(known) + shift, Purpose.SAMPLER) % 2**32
        self.study.sampler = make_sampler(self.optuna, sampler, startup, drawn)
        self.study.pruner = make_pruner(self.optuna, pruner, startup, patience)
        self.open_trials: dict[int, Any] = {}
        earlier = read_manifest(folder)  # another machine may have a folder of the same name
        mine = {point["number"] for point in earlier.points} if earlier else set()
        self.interrupted = [
            trial
            for trial in known
            if trial.state == self.optuna.trial.TrialState.RUNNING
            # a journal belongs to the sweep in whose folder it is, even if the folder was moved
            and (
                storage is None
                or (
                    trial.number in mine
                    and trial.user_attrs.get(FOLDER_ATTRIBUTE) == str(folder.absolute())
                )
            )
        ]

    def journal(self) -> Any:
        """Return the storage in the sweep's folder, repaired after a kill during a write."""
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        path = self.folder / JOURNAL
        drop_unfinished_line(path)
        for lock in self.folder.glob(f"{JOURNAL}.lock*"):
            lock.unlink()  # left by a killed process: only this process uses the folder
        return JournalStorage(JournalFileBackend(str(path)))

    def open(self, storage: Any, name: str, mode: str) -> Any:
        """Load or create the study; raises UserError if it has the other direction."""
        direction = "maximize" if mode == "max" else "minimize"
        found = self.optuna.create_study(
            storage=storage, study_name=name, direction=direction, load_if_exists=True
        )
        if found.direction.name.lower() != direction:
            raise UserError(
                f"The study {name} was started to {found.direction.name.lower()} its value, and "
                f"this is mode={mode}.\nType another sweep.study"
            )
        return found

    def ask(self) -> Trial | None:
        """Return a trial that a kill interrupted, or a new one, or None if all have started."""
        if self.interrupted:
            stored = self.interrupted.pop(0)
            trial = self.optuna.trial.Trial(self.study, stored._trial_id)
        elif len(self.study.get_trials(deepcopy=False)) < self.trials:
            trial = self.study.ask()
            trial.set_user_attr(FOLDER_ATTRIBUTE, str(self.folder.absolute()))
        else:
            return None
        values = self.draw(trial)
        self.open_trials[trial.number] = trial
        return Trial(trial.number, self.conditional.point(values))

    def draw(self, trial: Any) -> list[str]:
        """Return a value for every space, empty for keys that the trial's options do not have."""
        chosen: dict[str, str] = {}
        ordered = sorted(
            self.conditional.spaces,
            key=lambda space: space in self.conditional.dependent,
        )
        values: dict[str, str] = {}
        for space in ordered:
            if self.conditional.is_given(space, chosen):
                values[space.name] = suggest(trial, space)
                chosen[space.key] = values[space.name]
            else:
                values[space.name] = ""
        return [values[space.name] for space in self.conditional.spaces]

    def report(self, number: int, step: int, value: float) -> bool:
        """Report a value to Optuna; return False if its pruner ends the trial."""
        trial = self.open_trials[number]
        trial.report(value, step)
        return not (self.prunes and trial.should_prune())

    def tell(self, number: int, value: float | None, state: JobState) -> None:
        """Report to Optuna how a trial has ended."""
        states = self.optuna.trial.TrialState
        trial = self.open_trials.pop(number)
        if value is not None and math.isnan(value):  # a metric that is undefined in every epoch
            state = JobState.FAILED
        ended = {
            JobState.DONE: states.COMPLETE,
            JobState.PRUNED: states.PRUNED,
            JobState.FAILED: states.FAIL,
        }[state]
        self.study.tell(trial, value if state == JobState.DONE else None, state=ended)

    def importances(self) -> dict[str, float] | None:
        """Return each key's share of the variance of the results; None if there are too few."""
        complete = self.study.get_trials(states=(self.optuna.trial.TrialState.COMPLETE,))
        if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return self.optuna.importance.get_param_importances(self.study)
            except (ValueError, RuntimeError):  # no key is part of every trial
                return None


def suggest(trial: Any, space: Space) -> str:
    """Return a trial's value for a space, as it is typed."""
    if not space.is_interval:
        return trial.suggest_categorical(space.name, list(dict.fromkeys(space.values)))
    if space.whole:
        return str(trial.suggest_int(space.name, int(space.low), int(space.high), log=space.log))
    return space.written(trial.suggest_float(space.name, space.low, space.high, log=space.log))


def check_stored_state(sampler: str, trust: Sequence[str]) -> None:
    """Raise UserError if a stored study would be read by a sampler whose state can run code.

    trust: the modules that the user has typed. Optuna stores the state of CMA-ES as a pickle.
    """
    if sampler == "cmaes" and "cmaes" not in trust:
        raise UserError(
            "sweep.sampler=cmaes keeps its state in the study as a pickle, which can run code.\n"
            "If this sweep is your own, type trust=[cmaes]"
        )


def check_search(options: dict[str, Any]) -> None:
    """Raise UserError if a library is missing, or the storage cannot be reached."""
    optuna, storage = import_optuna(), options["storage"]
    make_sampler(optuna, options["sampler"], 1, 0)
    if storage is None:
        return
    try:
        connect(optuna, storage)
    except Exception as error:  # a database's driver may raise any error
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise UserError(
            f"sweep.storage={without_password(storage)} cannot be reached: {reason}.\n"
            "Type sweep.storage=sqlite:///<file>, the URL of a database that is running, or leave "
            "it out for a file in the sweep's folder"
        ) from error


def connect(optuna: Any, storage: str) -> None:
    """Open a storage; retry if another machine creates its tables at the same time."""
    for wait in (0.2, 1.0, None):
        try:
            optuna.get_all_study_names(storage=storage)
            return
        except Exception as error:
            late = re.search("unique|duplicate|already exists|locked", str(error), re.IGNORECASE)
            if wait is None or not late:
                raise
            sleep(wait)


def machine_and_folder(folder: Path) -> bytes:
    """Return the machine's name and the folder, which together identify one sweep of a study."""
    return f"{platform.node()}:{folder.absolute()}".encode()


def import_optuna() -> Any:
    """Import Optuna without its log lines; raises UserError if it is missing or too old."""
    optuna: Any = require("optuna", "sweep=optuna")
    if int(optuna.__version__.split(".")[0]) < 4:
        raise UserError(
            f"sweep=optuna needs Optuna 4 or newer, and {optuna.__version__} is installed.\n"
            "Type pip install --upgrade 'dlcourse[search]'"
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def make_sampler(optuna: Any, name: str, startup: int, seed: int) -> Any:
    """Return Optuna's sampler of this name; raises UserError if its library is missing."""
    samplers = optuna.samplers
    if name == "tpe":
        # defaults of Optuna 5, not of 4: all keys are modelled jointly, and running trials count
        # as bad, so that parallel workers do not all try the same point
        return samplers.TPESampler(
            n_startup_trials=startup, seed=seed, multivariate=True, constant_liar=True
        )
    if name == "cmaes":
        try:
            import cmaes  # noqa: F401  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError(
                "sweep.sampler=cmaes needs the library cmaes.\n"
                "Type pip install cmaes, or sweep.sampler=tpe"
            ) from error
        return samplers.CmaEsSampler(n_startup_trials=startup, seed=seed)
    return {"random": samplers.RandomSampler, "qmc": samplers.QMCSampler}[name](seed=seed)


def make_pruner(optuna: Any, name: str, startup: int, patience: int) -> Any:
    """Return Optuna's pruner of this name."""
    pruners = optuna.pruners
    if name == "median":
        return pruners.MedianPruner(n_startup_trials=startup, n_warmup_steps=patience)
    if name == "halving":
        return pruners.SuccessiveHalvingPruner(min_resource=patience)
    if name == "hyperband":
        return pruners.HyperbandPruner(min_resource=patience)
    return pruners.NopPruner()


def drop_unfinished_line(path: Path) -> None:
    """Remove an incomplete last line of the journal, left by a killed process."""
    if path.exists():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            with open(path, "r+b") as file:
                file.truncate(len(whole))
