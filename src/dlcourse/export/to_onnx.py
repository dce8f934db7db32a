"""Export to ONNX, and predict with ONNX Runtime."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.atomic_files import to_json
from dlcourse.export.program import batch_of_any_size, quiet
from dlcourse.terminal.extras import require

ONE_FILE = 1_500_000_000  # bytes of weights; a larger model has them in a second file


def write_format(
    model: nn.Module, example: Tensor, path: Path, facts: dict, opset: int | None
) -> None:
    """Write an ONNX file; inputs and output have the names in ``facts``.

    Its ``metadata_props`` hold the facts as JSON under ``dlcourse``, and the class names as a JSON
    list under ``classes``. opset: None for PyTorch's choice.
    """
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            batch_of_any_size(model, example),
            (example,),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[facts["input"]["name"]],
            output_names=[facts["output"]["name"]],
            opset_version=opset,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props["classes"] = to_json(facts["classes"])
    program.model.metadata_props["dlcourse"] = to_json(facts)
    size = sum(tensor.nbytes for tensor in model.state_dict().values())
    program.save(str(path), external_data=size > ONE_FILE)


def read_format(path: Path, facts: dict) -> Callable[[Tensor], Tensor]:
    """Return the function raw inputs (N, ...) -> predictions (N, K) of an ONNX file."""
    runtime: Any = require("onnxruntime", "An ONNX model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        options.intra_op_num_threads = torch.get_num_threads()
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def predict(inputs: Tensor) -> Tensor:
        (found,) = session.run(None, {name: np.ascontiguousarray(inputs.numpy())})
        return torch.from_numpy(found)

    return predict
