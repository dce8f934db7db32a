"""Export the weights in the format of safetensors, and predict with them."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from dlcourse.atomic_files import to_json
from dlcourse.export.rebuild import rebuilt_model
from dlcourse.export.whole_model import WholeModel, named_weights
from dlcourse.terminal.extras import require


def write_format(
    model: WholeModel, example: Tensor, path: Path, facts: dict, opset: int | None
) -> None:
    """Write the weights; the facts are in the file's metadata, as JSON under ``dlcourse``."""
    save = require("safetensors.torch", "format=safetensors").save_file
    weights = {name: tensor.contiguous().clone() for name, tensor in named_weights(model).items()}
    classes = to_json(facts["classes"])
    save(weights, path, metadata={"dlcourse": to_json(facts), "classes": classes})


def read_format(path: Path, facts: dict) -> Callable[[Tensor], Tensor]:
    """Return the function raw inputs (N, ...) -> predictions (N, K) of the rebuilt model."""
    load = require("safetensors.torch", "An export of safetensors").load_file
    return rebuilt_model(load(path), facts)
