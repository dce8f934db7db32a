"""The stored outputs of a cross-validation's models, so that no model is evaluated again."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.schema.run_files import OUT_OF_FOLD, PREDICTIONS
from dlcourse.train.meter import Meter


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


def write_predictions(folder: Path, made: Predictions) -> None:
    """Write a fold's predictions into its folder."""
    arrays = {name: values.numpy() for name, values in made._asdict().items()}
    atomic_files.save_arrays(folder / PREDICTIONS, **arrays)


def has_predictions(folder: Path) -> bool:
    """Return whether a fold's predictions are stored."""
    return (folder / PREDICTIONS).exists()


def read_predictions(folder: Path) -> Predictions:
    """Return a fold's predictions; raises UserError if the file is damaged."""
    try:
        arrays = atomic_files.load_arrays(folder / PREDICTIONS)
        return Predictions(**{name: torch.from_numpy(values) for name, values in arrays.items()})
    except (atomic_files.DamagedFileError, TypeError) as error:
        raise UserError(
            f"{folder / PREDICTIONS} cannot be read: {error}.\nDelete it, and resume the run"
        ) from error


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
    """Return the outputs and targets in a run's folder; empty tensors if there are none."""
    try:
        arrays = atomic_files.load_arrays(folder / OUT_OF_FOLD)
    except FileNotFoundError:
        return torch.zeros(0, 0), torch.zeros(0)
    return torch.from_numpy(arrays["outputs"]), torch.from_numpy(arrays["targets"])
