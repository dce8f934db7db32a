"""Fit methods of scikit-learn on the folds of a run, choose their options, and test them once."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from statistics import fmean
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from dlcourse.baseline.arguments import BaselinePlan
from dlcourse.baseline.methods import METHODS
from dlcourse.core import Dataset, Split
from dlcourse.engine.datasets import examples_to_test, load_data, make_fold, split_training_data
from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError

TRIAL = 2000
"""The number of training examples from which the time for all of them is estimated."""
TRIAL_QUESTIONS = 500
LARGE_FOR_TRIAL = 3
"""How many times the trial's examples make data large, so that the time is worth estimating."""
FEW_NUMBERS = 10_000_000
"""Inputs for which OpenMP's threads wait for each other longer than they compute."""

NumberTable = tuple[np.ndarray, np.ndarray]
"""Standardised inputs (N, D), and classes (N,) or values (N, K)."""


class Tables(NamedTuple):
    """The parts of one fold; val is None if all examples are for training."""

    train: NumberTable
    val: NumberTable | None
    test: NumberTable


@dataclass
class Tried:
    """A method with one combination of options: means over the folds, and the sum of seconds."""

    options: dict[str, Any]
    val: dict[str, float] | None
    seconds: float
    models: list[Any] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Baseline:
    """What a method reached: the chosen combination of options, its test metrics, and all tried.

    seconds: of all that was fitted and predicted for the method. fit_seconds: of the chosen
    combination's training alone, predict_seconds: of its predictions on the test part; all are sums
    over the folds.
    """

    method: str
    options: dict[str, Any]
    val: dict[str, float] | None
    test: dict[str, float]
    seconds: float
    fit_seconds: float
    predict_seconds: float
    tried: list[Tried]


@dataclass(frozen=True)
class FoldTables:
    """The folds of a run as tables of numbers."""

    config: dict[str, Any]
    dataset: Dataset
    parts: list[Any]
    read: Callable[[int], Tables]

    @property
    def regression(self) -> bool:
        """Whether the targets are values and not classes."""
        return not self.dataset.classes

    @property
    def examples(self) -> dict[str, int]:
        """The number of training, validation and test examples of the first fold."""
        part = self.parts[0]
        test = len(self.dataset.test if part.test is None else part.test)
        return {"train": len(part.train), "val": len(part.val), "test": test}


def fold_tables(plan: BaselinePlan) -> FoldTables:
    """Load the data of a run and divide and standardise them exactly as the run does.

    Raises UserError for images that do not fit into memory.
    """
    config = plan.config
    runtime = build(config["runtime"])()
    dataset = load_data(config)
    if type(dataset.train) is not Split or type(dataset.test) is not Split:
        raise UserError(
            "These images are streamed from the disk, and baseline needs all of them in memory.\n"
            "Type a larger data.memory, a smaller data.size, or fewer images by data.examples"
        )
    if dataset.task == "multilabel":
        raise UserError(
            "baseline fits methods for one class or for values, and in these data an example can "
            "have several classes.\nType a data set with one class for each example"
        )
    parts = split_training_data(config, dataset)

    @lru_cache(maxsize=1)  # one fold at a time: all of them may not fit into memory
    def read(number: int) -> Tables:
        fold = make_fold(config, dataset, parts[number], runtime)

        def table(split: Split) -> NumberTable:
            inputs = fold.standardize(split.inputs).flatten(1).cpu().numpy()
            return inputs, split.targets.cpu().numpy()

        val = None if fold.val is None else table(fold.val)
        return Tables(table(fold.train), val, table(examples_to_test(dataset, parts[number])))

    return FoldTables(config, dataset, parts, read)


def warm_up(names: Iterable[str], folds: FoldTables) -> None:
    """Import what the methods need, and start its threads, so that no method's time has that."""
    inputs, targets = folds.read(0).train
    for name in names:
        METHODS[name].make(folds.regression, 0, **defaults_of(name))
    fitted("knn", {"neighbors": 1}, (inputs[:2], targets[:2]), folds).predict(inputs[:2])


def defaults_of(name: str) -> dict[str, Any]:
    """Return the default of each option of a method."""
    return {option: bounds.example for option, bounds in METHODS[name].options.items()}


def fit_method(
    name: str,
    candidates: list[dict[str, Any]],
    folds: FoldTables,
    advance: Callable[[], object] = int,
) -> Baseline:
    """Fit every combination of options, choose the best by validation, and test it once.

    Metrics are means over the folds. advance: called after each combination.
    """
    best: Tried | None = None
    tried = []
    for options in candidates:
        one = try_options(name, options, folds)
        tried.append(one)
        if best is None or is_better(one, best, folds.regression):
            best, worse = one, best
        else:
            worse = one
        if worse is not None:
            worse.models = []  # a forest can be large
        advance()
    assert best is not None
    start = perf_counter()
    tested = [
        score(model, folds.read(number).test, folds.regression)
        for number, model in enumerate(best.models)
    ]
    predict_seconds = perf_counter() - start
    best.models = []
    return Baseline(
        name,
        best.options,
        best.val,
        mean_metrics(tested),
        sum(one.seconds for one in tried) + predict_seconds,
        best.seconds,
        predict_seconds,
        tried,
    )


def try_options(name: str, options: Mapping[str, Any], folds: FoldTables) -> Tried:
    """Fit one combination of options on each fold, and predict its validation part."""
    scores, models, seconds = [], [], 0.0
    for number in range(len(folds.parts)):
        tables = folds.read(number)
        start = perf_counter()
        model = fitted(name, options, tables.train, folds)
        if tables.val is not None:
            scores.append(score(model, tables.val, folds.regression))
        models.append(model)
        seconds += perf_counter() - start
    return Tried(dict(options), mean_metrics(scores) if scores else None, seconds, models)


def fitted(name: str, options: Mapping[str, Any], train: NumberTable, folds: FoldTables) -> Any:
    """Return an estimator that is fitted on a table; raises UserError if it cannot be."""
    inputs, targets = train
    estimator = METHODS[name].make(folds.regression, folds.config["seed"], **options)
    if folds.regression and targets.shape[1] == 1:
        targets = targets[:, 0]
    elif folds.regression and name in ("svm", "stumps"):
        from sklearn.multioutput import MultiOutputRegressor

        estimator = MultiOutputRegressor(estimator)
    if options.get("neighbors", 0) > len(inputs):
        raise UserError(
            f"knn.neighbors={options['neighbors']} is more than the {len(inputs):,} training "
            f"examples.\nType knn.neighbors={len(inputs)} or less"
        )
    from sklearn.exceptions import ConvergenceWarning

    threads = 1 if inputs.size < FEW_NUMBERS else None
    try:
        with warnings.catch_warnings(), openmp().limit(limits=threads, user_api="openmp"):
            warnings.simplefilter("ignore", ConvergenceWarning)
            return estimator.fit(inputs, targets)
    except ValueError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"method={name} cannot be fitted to these data: {reason}\nLeave out {name}"
        ) from error


@cache
def openmp() -> Any:
    """Return what limits the threads of OpenMP; finding its libraries takes milliseconds."""
    from threadpoolctl import ThreadpoolController  # scikit-learn needs it too

    return ThreadpoolController()


def score(model: Any, table: NumberTable, regression: bool) -> dict[str, float]:
    """Return the accuracy of a fitted estimator; for a regression its RMSE and R²."""
    inputs, targets = table
    predicted = model.predict(inputs)
    if not regression:
        return {"accuracy": float(np.mean(predicted == targets))}
    from sklearn.metrics import r2_score

    errors = predicted.reshape(targets.shape).astype(np.float64) - targets
    r2 = r2_score(targets, targets + errors) if len(targets) > 1 else math.nan
    return {"rmse": float(np.sqrt(np.mean(errors**2))), "r2": float(r2)}


def mean_metrics(scores: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over the folds."""
    return {name: fmean(one[name] for one in scores) for name in scores[0]}


def is_better(one: Tried, other: Tried, regression: bool) -> bool:
    """Return whether a combination has the better validation metric; the first of two equals is."""
    assert one.val is not None
    assert other.val is not None
    if regression:
        return one.val["rmse"] < other.val["rmse"]
    return one.val["accuracy"] > other.val["accuracy"]


def expected_seconds(plan: BaselinePlan, folds: FoldTables) -> dict[str, float]:
    """Return how long each method will take, from a trial on few examples.

    It is empty for data on which the trial would take as long as the methods.
    """
    train, val, test = folds.read(0)
    many = len(train[0]) / TRIAL
    if many < LARGE_FOR_TRIAL:
        return {}
    step = len(train[0]) // TRIAL
    few = train[0][::step], train[1][::step]
    questions = test[0][:TRIAL_QUESTIONS], test[1][:TRIAL_QUESTIONS]
    predicted = ((len(val[0]) if val else 0) + len(test[0])) / len(questions[0])
    found = {}
    for name, candidates in plan.candidates.items():
        method, start = METHODS[name], perf_counter()
        model = fitted(name, candidates[0], few, folds)
        after_fit = perf_counter()
        score(model, questions, folds.regression)
        lookup = (perf_counter() - after_fit) * predicted * (many if method.lookup else 1)
        each = (after_fit - start) * many**method.growth + lookup
        found[name] = each * len(candidates) * len(folds.parts)
    return found
