"""Export to TorchScript by tracing, and predict with it. PyTorch has deprecated TorchScript."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from dlcourse.atomic_files import to_json
from dlcourse.export.formats import FACTS_FILE
from dlcourse.export.program import quiet


def write_format(
    model: nn.Module, example: Tensor, path: Path, facts: dict, opset: int | None
) -> None:
    """Write a TorchScript file; the facts are its extra file ``model.json``."""
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(model, (example,), check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={FACTS_FILE: to_json(facts)})


def read_format(path: Path, facts: dict) -> Callable[[Tensor], Tensor]:
    """Return the function raw inputs (N, ...) -> predictions (N, K) of a TorchScript file."""
    with quiet():
        return torch.jit.load(str(path), map_location="cpu")
