"""Export a program of torch.export (``.pt2``), and predict with it."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from dlcourse.atomic_files import to_json
from dlcourse.export.formats import FACTS_FILE
from dlcourse.export.program import batch_of_any_size, quiet


def write_format(
    model: nn.Module, example: Tensor, path: Path, facts: dict, opset: int | None
) -> None:
    """Write a ``.pt2`` archive; the facts are its extra file ``model.json``."""
    with quiet():
        program = batch_of_any_size(model, example)
        torch.export.save(program, path, extra_files={FACTS_FILE: to_json(facts)})


def read_format(path: Path, facts: dict) -> Callable[[Tensor], Tensor]:
    """Return the function raw inputs (N, ...) -> predictions (N, K) of a ``.pt2`` archive."""
    with quiet():
        return torch.export.load(path).module()
