"""The content of ``result.json``."""

import logging
import platform
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse import __version__
from dlcourse.core import Dataset, Fold, Metric, Recipe, Standardize, State, best_epoch
from dlcourse.guard import guarded
from dlcourse.introspect.linear_map import linear_weights
from dlcourse.runs.run_folder import DIVERGED
from dlcourse.runtime import Runtime
from dlcourse.train.fit import ended_by
from dlcourse.train.meter import Meter

MOST_WEIGHTS = 2000  # of a linear model that are stored

log = logging.getLogger(__name__)


def fold_result(
    state: State, recipe: Recipe, fold: Fold, dataset: Dataset, runtime: Runtime, tested: Meter
) -> dict:
    """Return a fold's result: the metrics of the best epoch and of the test, and the run's facts.

    tested: the meter of the test part.
    """
    test = part_of(tested.read("test"), "test")
    return (
        untested_result(state, recipe, fold, dataset, runtime)
        | {"test": test}
        | with_names(tested.full(), dataset)
        | polynomial_coefficients(state.model, fold.standardize, dataset.input_shape)
        | learned_weights(state.model, fold.standardize, dataset)
    )


def with_names(report: dict, dataset: Dataset) -> dict:
    """Return a report whose ``per_output`` has the ``names`` of the outputs, t1, t2 ... by default.

    A report without it is returned unchanged.
    """
    if "per_output" not in report:
        return report
    numbered = [f"t{number}" for number in range(1, dataset.output_size + 1)]
    names = list(dataset.target_names) or numbered
    return report | {"per_output": {"names": names} | report["per_output"]}


def divergence_result(
    state: State, recipe: Recipe, fold: Fold, dataset: Dataset, runtime: Runtime, reason: str
) -> dict:
    """Return the result of a fold whose validation loss is not finite, without a test.

    reason: the error's message.
    """
    diverged = {"ended_by": DIVERGED, "reason": reason.split("\n")[0]}
    return untested_result(state, recipe, fold, dataset, runtime) | diverged


def untested_result(
    state: State, recipe: Recipe, fold: Fold, dataset: Dataset, runtime: Runtime
) -> dict:
    """Return a fold's result from its history of at least one epoch, without a test."""
    best = best_epoch(state.history, recipe.monitor, recipe.mode)
    metrics = state.history[best - 1].metrics
    seconds = sum(record.metrics["seconds"] for record in state.history)
    examples = sum(  # over all epochs; the last one may be incomplete
        record.metrics["seconds"] * record.metrics["examples_per_second"]
        for record in state.history
    )
    return {
        "monitor": recipe.monitor,
        "mode": recipe.mode,
        "best": metrics[recipe.monitor],
        "best_epoch": best,
        "epochs": len(state.history),
        "ended_by": ended_by(state, recipe),
        "val": part_of(metrics, "val"),
        "test": {},
        "train": part_of(metrics, "train"),
        "parameters": sum(parameter.numel() for parameter in state.model.parameters()),
        "examples": {
            "train": len(fold.train),
            "val": 0 if fold.val is None else len(fold.val),
            "test": len(dataset.test),
        },
        "seconds": seconds,
        "examples_per_second": examples / seconds,
        "seed": recipe.seed,
        "data": dataset.name,
        "task": dataset.task,
        "input_shape": list(dataset.input_shape),
        "output_size": dataset.output_size,
        "classes": list(dataset.classes),
        "plain_loss": True,  # val and test loss have no label smoothing, unlike in older results
        "device": runtime.describe(),
        "versions": {
            "dlcourse": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def polynomial_coefficients(
    model: nn.Module, standardize: Standardize, input_shape: tuple[int, ...]
) -> dict[str, list]:
    """Return ``{"coefficients": ...}`` of a polynomial of one input, ``{}`` for other models.

    For each output they are w_0, w_1, ..., in the units of the raw input.
    """
    of_model = getattr(model, "coefficients", None)
    if of_model is None or input_shape != (1,):
        return {}
    with torch.no_grad():
        return {"coefficients": of_model(standardize.mean, standardize.scale).tolist()}


def learned_weights(model: nn.Module, standardize: Standardize, dataset: Dataset) -> dict:
    """Return ``{"weights": ...}`` of a linear model of a table, ``{}`` for other models.

    Its value has the names of the D ``terms`` and of the R ``outputs``, the weights ``w`` (R, D)
    and ``b`` (R,) for raw inputs, and, where the targets come from a known linear function,
    ``true`` with the same two keys. A classifier of two classes has one row, the score of the
    second class minus that of the first. Models with more than 2,000 weights have no such key.
    """
    if len(dataset.input_shape) != 1 or dataset.input_shape[0] > MOST_WEIGHTS:
        return {}
    with guarded("Reading the weights of a linear model"):
        found = linear_weights(model, standardize, dataset)
        if found is None or found.weights.numel() > MOST_WEIGHTS:
            return {}
        shown: dict[str, Any] = {"terms": found.terms, "outputs": found.outputs}
        shown |= {"w": found.weights.tolist(), "b": found.bias.tolist()}
        if found.true is not None:
            shown["true"] = {"w": found.true[0].tolist(), "b": found.true[1].tolist()}
        return {"weights": shown}
    return {}


def part_of(metrics: dict[str, float], split: str) -> dict[str, float]:
    """Return a split's metrics: ``{"loss": ...}`` of ``val`` for ``{"val/loss": ..., ...}``."""
    return {
        name.removeprefix(f"{split}/"): value
        for name, value in metrics.items()
        if name.startswith(f"{split}/")
    }


def mean_of_folds(results: list[dict], names: list[str]) -> dict:
    """Combine the results of all folds: mean and sample standard deviation of every metric.

    The standard deviation divides by the number of folds minus 1 (numpy's ``ddof=1``), as in the
    tables over folds and seeds. It is 0 for a single fold.

    names: those of the folds.
    """
    columns = {
        f"{split}/{name}": [result[split][name] for result in results]
        for split in ("val", "test")
        for name in results[0][split]
    }
    own = ("best", "best_epoch", "epochs", "ended_by", "val", "test", "examples", "seconds")
    shared = (
        "monitor", "mode", "parameters", "seed", "data", "task", "input_shape",
        "output_size", "classes", "options",
    )  # fmt: skip
    return {
        **{key: results[0][key] for key in shared},
        "best": float(np.mean([result["best"] for result in results])),
        "mean": {name: float(np.mean(values)) for name, values in columns.items()},
        "std": {name: deviation(values) for name, values in columns.items()},
        "folds": [
            {"name": name, **{key: result[key] for key in own}}
            for name, result in zip(names, results, strict=True)
        ],
        "plain_loss": all(result.get("plain_loss", False) for result in results),
        "seconds": sum(result["seconds"] for result in results),
        "device": results[-1]["device"],
        "versions": results[-1]["versions"],
    }


def deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation, 0 for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def measure_outputs(
    outputs: Tensor,
    targets: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    metrics: Sequence[Metric],
) -> dict[str, float]:
    """Return the mean loss and all metrics of outputs (N, K); an empty dict if N is 0.

    A metric that raises an error, perhaps a user's own, is left out with a warning, so that the
    other results of a long run are not lost.
    """
    if not len(targets):
        return {}
    found = {"loss": float(loss(outputs, targets))}
    for metric in metrics:
        try:
            sums = metric.measure(outputs, targets).double()
            found |= metric.report(sums, len(targets))
        except Exception:  # any error: these outputs come from several models
            name = type(metric).__name__
            log.warning("%s cannot be computed for all folds together", name, exc_info=True)
    return found
