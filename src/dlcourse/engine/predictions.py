"""The stored outputs of a run's models, so that no model is evaluated again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.core import Split
from dlcourse.errors import UserError
from dlcourse.introspect.classification import as_probabilities
from dlcourse.schema.run_files import OUT_OF_FOLD, PREDICTIONS
from dlcourse.train.meter import Meter

MOST_STORED = 4_000_000
"""The most outputs that a run without folds stores, 16 MB: reconstructed images are many more."""


class Predictions(NamedTuple):
    """The outputs of a fold's best weights on its n validation and m test examples, on the CPU.

    position: the indices of its validation examples in the training part. Outputs are float32.
    """

    position: Tensor  # (n,)
    outputs: Tensor  # (n, K)
    targets: Tensor  # (n,) classes, or (n, K) values
    test_outputs: Tensor  # (m, K)
    test_targets: Tensor  # (m,) or (m, K)


def gather(position: Tensor, val: Meter | None, test: Meter) -> Predictions:
    """Return the outputs that two meters have kept; n is 0 without a validation part."""
    test_outputs, test_targets = test.kept_outputs()
    outputs, targets = val.kept_outputs() if val else (test_outputs[:0], test_targets[:0])
    return Predictions(position.cpu(), outputs.float(), targets, test_outputs.float(), test_targets)


def few_enough(examples: int, output_size: int) -> bool:
    """Return whether a run without folds stores the outputs of this number of examples."""
    return examples * output_size <= MOST_STORED


def ids_of(val: Split | None, test: Split) -> dict[str, np.ndarray]:
    """Return the names of the validation and the test examples, as far as they have any."""
    found = {"ids": None if val is None else val.ids, "test_ids": test.ids}
    return {key: names.astype(np.str_) for key, names in found.items() if names is not None}


def write_predictions(
    folder: Path, made: Predictions, ids: Mapping[str, np.ndarray] | None = None
) -> None:
    """Write a fold's predictions into its folder. ids: from ``ids_of``."""
    arrays = {name: values.numpy() for name, values in made._asdict().items()}
    atomic_files.save_arrays(folder / PREDICTIONS, **arrays, **(ids or {}))


def has_predictions(folder: Path) -> bool:
    """Return whether a fold's predictions are stored."""
    return (folder / PREDICTIONS).exists()


def read_predictions(folder: Path) -> Predictions:
    """Return a fold's predictions; raises UserError if the file is damaged."""
    try:
        arrays = atomic_files.load_arrays(folder / PREDICTIONS)
        made = Predictions(*(torch.from_numpy(arrays[name]) for name in Predictions._fields))
        refuse_unequal(made.outputs, made.targets, arrays.get("ids"))
        refuse_unequal(made.test_outputs, made.test_targets, arrays.get("test_ids"))
        if made.position.shape != made.outputs.shape[:1] or made.position.dtype != torch.int64:
            raise ValueError("its positions are not those of the outputs")
        return made
    except (atomic_files.DamagedFileError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / PREDICTIONS} cannot be read: {error}.\nDelete it, and resume the run"
        ) from error


def refuse_unequal(outputs: Tensor, targets: Tensor, ids: np.ndarray | None = None) -> None:
    """Raise ValueError unless outputs (N, K), targets (N,) or (N, K) and ids (N,) fit."""
    if outputs.ndim != 2 or not outputs.is_floating_point():
        raise ValueError("its outputs are not a table of numbers")
    if targets.ndim not in (1, 2) or len(targets) != len(outputs) or targets.is_complex():
        raise ValueError("its targets are not those of the outputs")
    if ids is not None and ids.shape != targets.shape[:1]:
        raise ValueError("its ids are not those of the outputs")


def pool(folds: Sequence[Predictions]) -> dict[str, Tensor]:
    """Return the validation examples of all folds, one row each, fold after fold.

    The columns are ``position``, ``fold``, ``outputs`` and ``targets``. An example that several
    folds validate on has several rows.
    """
    numbers = [torch.full_like(fold.position, number) for number, fold in enumerate(folds)]
    return {
        "position": torch.cat([fold.position for fold in folds]),
        "fold": torch.cat(numbers),
        "outputs": torch.cat([fold.outputs for fold in folds]),
        "targets": torch.cat([fold.targets for fold in folds]),
    }


def write_pooled(folder: Path, rows: dict[str, Tensor]) -> None:
    """Write the rows of all folds into the run's folder."""
    arrays = {name: values.numpy() for name, values in rows.items()}
    atomic_files.save_arrays(folder / OUT_OF_FOLD, **arrays)


def read_pooled(folder: Path) -> tuple[Tensor, Tensor]:
    """Return the outputs and targets in a run's folder; empty tensors if there are none.

    Raises UserError for a damaged file.
    """
    try:
        arrays = atomic_files.load_arrays(folder / OUT_OF_FOLD)
        outputs, targets = (torch.from_numpy(arrays[name]) for name in ("outputs", "targets"))
        refuse_unequal(outputs, targets)
    except FileNotFoundError:
        return torch.zeros(0, 0), torch.zeros(0)
    except (atomic_files.DamagedFileError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / OUT_OF_FOLD} cannot be read: {error}.\nDelete it, and resume the run"
        ) from error
    return outputs, targets


def stored_part(folder: Path, part: str, task: str) -> dict[str, np.ndarray]:
    """Return the predictions for one part as the arrays ``id``, ``target`` ... of ``Run``.

    Raises UserError if none are stored.
    """
    if part not in ("test", "val"):
        raise UserError(f"part={part} is not stored.\nType part='test' or part='val'")
    if not has_predictions(folder):
        raise UserError(
            f"{folder / PREDICTIONS} does not exist: an older dlcourse wrote none, and very many "
            f"outputs are not stored.\nType dlcourse evaluate {folder} part={part} csv=<file>"
        )
    made = read_predictions(folder)
    arrays = atomic_files.load_arrays(folder / PREDICTIONS)
    if part == "test":
        outputs, targets, ids = made.test_outputs, made.test_targets, arrays.get("test_ids")
        names = np.arange(len(outputs)) if ids is None else ids
    else:
        outputs, targets, ids = made.outputs, made.targets, arrays.get("ids")
        names = made.position.numpy() if ids is None else ids
    predicted = as_probabilities(outputs.double(), task)
    return {
        "id": names,
        "target": targets.numpy(),
        "outputs": outputs.numpy(),
        "predicted": predicted.numpy(),
    }
