"""What a run leaves behind: the content of ``result.json``."""

import platform

import numpy as np
import torch

from dlcourse import __version__
from dlcourse.core import Dataset, Fold, Recipe, State, best_epoch
from dlcourse.runtime import Runtime
from dlcourse.train.meter import Meter


def describe(
    state: State, recipe: Recipe, fold: Fold, dataset: Dataset, runtime: Runtime, tested: Meter
) -> dict:
    """Put together a fold's result: the best epoch's figures, the test's, and how it came about."""
    best = best_epoch(state.history, recipe.monitor, recipe.mode)
    figures = state.history[best - 1].metrics
    seconds = sum(record.metrics["seconds"] for record in state.history)
    return {
        "monitor": recipe.monitor,
        "mode": recipe.mode,
        "best": figures[recipe.monitor],
        "best_epoch": best,
        "epochs": len(state.history),
        "val": part_of(figures, "val"),
        "test": part_of(tested.read("test"), "test"),
        "train": part_of(figures, "train"),
        "parameters": sum(parameter.numel() for parameter in state.model.parameters()),
        "examples": {
            "train": len(fold.train),
            "val": 0 if fold.val is None else len(fold.val),
            "test": len(dataset.test),
        },
        "seconds": seconds,
        "examples_per_second": len(state.history) * len(fold.train) / seconds,
        "seed": recipe.seed,
        "data": dataset.name,
        "task": dataset.task,
        "input_shape": list(dataset.input_shape),
        "output_size": dataset.output_size,
        "classes": list(dataset.classes),
        **tested.full(),
        "device": runtime.describe(),
        "versions": {
            "dlcourse": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def part_of(figures: dict[str, float], split: str) -> dict[str, float]:
    """Return ``{"loss": ...}`` out of ``{"val/loss": ..., "train/loss": ...}`` for ``val``."""
    return {
        name.removeprefix(f"{split}/"): figure
        for name, figure in figures.items()
        if name.startswith(f"{split}/")
    }


def summarize(results: list[dict], names: list[str]) -> dict:
    """Put folds together: mean and population standard deviation (numpy's) of every figure."""
    columns = {
        f"{split}/{name}": [result[split][name] for result in results]
        for split in ("val", "test")
        for name in results[0][split]
    }
    own = ("best", "best_epoch", "epochs", "val", "test", "examples", "seconds")
    shared = (
        "monitor", "mode", "parameters", "seed", "data", "task", "input_shape",
        "output_size", "classes", "options",
    )  # fmt: skip
    return {
        **{key: results[0][key] for key in shared},
        "best": float(np.mean([result["best"] for result in results])),
        "mean": {name: float(np.mean(values)) for name, values in columns.items()},
        "std": {name: float(np.std(values)) for name, values in columns.items()},
        "folds": [
            {"name": name, **{key: result[key] for key in own}}
            for name, result in zip(names, results, strict=True)
        ],
        "seconds": sum(result["seconds"] for result in results),
        "device": results[-1]["device"],
        "versions": results[-1]["versions"],
    }
