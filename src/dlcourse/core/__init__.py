"""The types that all parts of dlcourse share."""

from dlcourse.core.data import WHITE, Dataset, Fold, Impute, Split, Standardize, Whiten
from dlcourse.core.dtypes import at_least_float32, has_float64, with_float64_targets
from dlcourse.core.faults import Faults, NonFinite
from dlcourse.core.history import Record, best_epoch, scores
from dlcourse.core.norm_statistics import measure_norm_statistics
from dlcourse.core.objective import objective
from dlcourse.core.steps import steps_per_epoch
from dlcourse.core.training import AllFolds, Average, FinalTest, Metric, Observer, Recipe, State

__all__ = [
    "WHITE",
    "AllFolds",
    "Average",
    "Dataset",
    "Faults",
    "FinalTest",
    "Fold",
    "Impute",
    "Metric",
    "NonFinite",
    "Observer",
    "Recipe",
    "Record",
    "Split",
    "Standardize",
    "State",
    "Whiten",
    "at_least_float32",
    "best_epoch",
    "has_float64",
    "measure_norm_statistics",
    "objective",
    "scores",
    "steps_per_epoch",
    "with_float64_targets",
]
