"""Export the weights as torch.save writes them, and predict with them."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.export.rebuild import rebuilt_model
from dlcourse.export.whole_model import WholeModel, named_weights


def write_format(
    model: WholeModel, example: Tensor, path: Path, facts: dict, opset: int | None
) -> None:
    """Write a dict of the weights by name, and nothing else."""
    weights = {name: tensor.contiguous().clone() for name, tensor in named_weights(model).items()}
    torch.save(weights, path)


def read_format(path: Path, facts: dict) -> Callable[[Tensor], Tensor]:
    """Return the function raw inputs (N, ...) -> predictions (N, K) of the rebuilt model.

    Code in the file is never run.
    """
    try:
        return rebuilt_model(atomic_files.load_checked(path), facts)
    except atomic_files.DamagedFileError as error:
        raise UserError(f"{error}.\nExport the run again") from error
