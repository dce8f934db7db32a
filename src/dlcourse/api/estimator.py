"""What ``dlcourse.Classifier`` and ``dlcourse.Regressor`` share: options, training and storing."""

import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from dlcourse.api.isolation import isolated, isolated_torch, logged_into
from dlcourse.api.overrides import overrides_of
from dlcourse.api.progress import progress
from dlcourse.api.sklearn_versions import validated
from dlcourse.api.train import trusted
from dlcourse.engine.job import run_job
from dlcourse.errors import UserError
from dlcourse.runs.prepare import prepare_run
from dlcourse.schema import run_files
from dlcourse.schema.compose import compose_job

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from dlcourse.core import Dataset

SIGNATURE_NAMES = (
    "model", "max_epochs", "batch_size", "random_state", "shape", "folder", "config_dir", "verbose",
)  # fmt: skip
"""The parameters in the signature of ``__init__``; all others are options of a run."""
OPTIONS_AMONG_THEM = ("model", "max_epochs", "batch_size")
STORED = (".hydra/config.yaml", run_files.RESULT, run_files.BEST_WEIGHTS)
"""The files of a run that its model is opened from; a fitted estimator holds their content."""
ALL_EXAMPLES = {"split.fraction": 0.0, "monitor": "train/loss", "mode": "min", "stop": "never"}
"""The options of an estimator that holds no examples out, which is the default."""
LARGEST_SEED = 2**32 - 1
SOME_FOLDER = "run"  # for composing alone

SEVERAL_MODELS = UserError(
    "This split trains a model for each fold, and an estimator has one model.\n"
    "Type split=holdout, and sklearn.model_selection.cross_val_score(estimator, X, y) for folds"
)

training_lock = threading.RLock()
"""Held while a run trains: it changes settings of the process, such as random states."""


class Estimator(BaseEstimator):
    """Trains one run on arrays, with the options of a run as parameters of scikit-learn."""

    def __init__(
        self,
        *overrides: str,
        model: str | None = None,
        max_epochs: float | None = None,
        batch_size: int | str | None = None,
        random_state: Any = None,
        shape: Sequence[int] | None = None,
        folder: str | PathLike[str] | None = None,
        config_dir: str | PathLike[str] | None = None,
        verbose: bool = False,
        **options: Any,
    ) -> None:
        self.model = model
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.random_state = random_state
        self.shape = shape
        self.folder = folder
        self.config_dir = config_dir
        self.verbose = verbose
        if overrides or options:
            self.set_params(**as_options(overrides), **options)

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return sorted(SIGNATURE_NAMES)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters: those of the signature, and the options of a run that were given.

        deep: without effect, because no parameter is an estimator.
        """
        others = [name for name in vars(self) if name not in SIGNATURE_NAMES and is_parameter(name)]
        return {name: getattr(self, name) for name in (*SIGNATURE_NAMES, *others)}

    def set_params(self, **params: Any) -> "Estimator":
        """Set parameters, ``set_params(max_epochs=5, **{"optim.lr": 0.1})``; return the estimator.

        ``optim__lr`` is another way to write ``optim.lr``.
        """
        for name, value in params.items():
            setattr(self, name.replace("__", "."), value)
        return self

    def run_on(self, dataset: "Dataset", defaults: Mapping[str, Any]) -> None:
        """Train on a data set, and store the trained model.

        defaults: options that the estimator's own parameters replace.
        """
        with training_lock, isolated(), tempfile.TemporaryDirectory(prefix="dlcourse_") as place:
            folder = Path(place) / "run" if self.folder is None else Path(fspath(self.folder))
            if self.folder is not None and (folder / run_files.RESULT).exists():
                raise UserError(
                    f"{folder} holds a finished run, and each fit is a new one.\n"
                    "Type another folder, or folder=None for none"
                )
            config = self.trained_in(folder, dataset, defaults)
            self.store(folder, config)

    def trained_in(
        self, folder: Path, dataset: "Dataset", defaults: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Train a run in a folder, as ``dlcourse.train`` does; return its config."""
        own = None if self.config_dir is None else fspath(self.config_dir)
        chosen = {**defaults, **self.options(), "data": "in_memory", "hydra.run.dir": SOME_FOLDER}
        typed = overrides_of((), chosen, own)
        cfg = composed_once(tuple(typed)) if own is None else compose_job(typed, own)
        if {"folds", "outer"} & set(cfg.split):
            raise SEVERAL_MODELS
        cfg.hydra.run.dir = str(folder)
        job = prepare_run(cfg, typed, own)
        import_module("dlcourse.engine.run")  # imports PyTorch, only now that all is checked
        from dlcourse.engine.datasets import with_options

        with (
            isolated_torch(),
            logged_into(job.folder),
            progress(job.folder, not self.verbose) as observers,
        ):
            run_job(
                **job.arguments(),
                observers=observers,
                load=lambda config: with_options(dataset, config),
            )
        return job.config

    def options(self) -> dict[str, Any]:
        """Return the options of the run that were given, by their names."""
        given = self.get_params()
        named = {name: given[name] for name in OPTIONS_AMONG_THEM if given[name] is not None}
        others = {name: value for name, value in given.items() if name not in SIGNATURE_NAMES}
        held = any(name.partition(".")[0] == "split" for name in others)
        plain = {} if held else ALL_EXAMPLES
        return {"observe": "[]", "seed": self.run_seed(), **plain, **named, **others}

    def run_seed(self) -> int:
        """Return the seed of a run: ``random_state``, or a number drawn from it; 0 for None."""
        if self.random_state is None:
            return 0
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(LARGEST_SEED, dtype=np.int64))

    def store(self, folder: Path, config: dict[str, Any]) -> None:
        """Keep the files of a trained run that its model is opened from, and open it."""
        from dlcourse.train.checkpoint import history_of

        if not (folder / run_files.BEST_WEIGHTS).exists():
            raise SEVERAL_MODELS
        self.files_ = {name: (folder / name).read_bytes() for name in STORED}
        self.trust_ = trusted(config)
        self.history_ = [{"epoch": one.epoch, **one.metrics} for one in history_of(folder)]
        self.n_iter_ = len(self.history_)
        self._opened = self.opened_from(folder)

    def opened_from(self, folder: Path) -> Any:
        """Return the trained model of a run's folder, ``engine.reopen.Opened``."""
        from dlcourse.engine.reopen import open_model

        with isolated_torch():
            return open_model(folder, trust=self.trust_)

    @property
    def opened(self) -> Any:
        """The trained model, read from the stored files after the estimator was unpickled."""
        if self.__dict__.get("_opened") is None:
            with training_lock, isolated(), tempfile.TemporaryDirectory() as place:
                for name, content in self.files_.items():
                    path = Path(place) / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                self._opened = self.opened_from(Path(place))
        return self._opened

    def outputs_of(self, X: Any) -> np.ndarray:
        """Return the model's predictions (N, K) of raw examples, as float64."""
        from dlcourse.engine.trained_model import predict

        check_is_fitted(self)
        inputs, one = self.inputs_of(validated(self, X, reset=False)), self.opened
        if inputs.is_floating_point():
            inputs = inputs.to(one.model.mean.dtype)
        with isolated_torch():
            made = predict(
                [one.model], inputs, one.evaluate, one.autocast, one.outputs, task=one.task
            )
        return made.double().numpy()

    def inputs_of(self, examples: np.ndarray) -> Any:
        """Return checked examples (N, ...) as a tensor, in the shape of ``shape``.

        Raises ValueError if they do not fit it.
        """
        import torch

        if self.shape is not None:
            wanted = tuple(self.shape)
            if examples[0].size != np.prod(wanted):
                raise ValueError(
                    f"X has {examples[0].size} numbers per example, and shape={wanted} "
                    f"{int(np.prod(wanted))}"
                )
            examples = examples.reshape(-1, *wanted)
        if examples.ndim == 3:
            examples = examples[:, None]  # grey images
        if examples.dtype == np.uint8 and examples.ndim == 2:
            examples = examples.astype(np.float32)
        return torch.from_numpy(np.require(examples, requirements=("C", "W")))

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_opened"}


@lru_cache(maxsize=32)
def composed_once(typed: tuple[str, ...]) -> "DictConfig":
    """Return the composed config of some overrides: composing takes half of a small fit."""
    return compose_job(list(typed), None)


def as_options(overrides: Sequence[str]) -> dict[str, str]:
    """Return ``{"model": "mlp"}`` for ``("model=mlp",)``; raises UserError for other texts."""
    found = {}
    for override in overrides:
        key, equals, value = override.partition("=") if isinstance(override, str) else ("", "", "")
        if not equals:
            raise UserError(
                f"{override!r:.60} is not an option.\n"
                'Type options as text, "optim.lr=0.1", or as keywords, max_epochs=5'
            )
        found[key] = value
    return found


def is_parameter(name: str) -> bool:
    """Return whether an attribute is a parameter, neither private nor set by fitting."""
    return not name.startswith("_") and not name.endswith("_")


def arrays_as_dataset(
    inputs: Any, targets: Any, *, classes: Sequence[str] = (), weights: Any = None
) -> "Dataset":
    """Return a data set of tensors, whose test part are the same examples.

    targets: as ``dlcourse.core.Split`` has them. weights: (N,), of each example in the loss.
    """
    import torch

    from dlcourse.core import Dataset, Split

    own = None if weights is None else torch.from_numpy(np.asarray(weights, np.float32))
    split = Split(inputs, targets, weights=own)
    return Dataset("in_memory", split, split, tuple(classes))
