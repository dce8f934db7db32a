"""A model as a program of torch.export, which ONNX and torch_export start from."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

NOISY = ("torch", "onnxscript", "onnx_ir", "onnx_diagnostic")
"""Loggers of the libraries that export: they describe their own inner workings."""


def batch_of_any_size(model: nn.Module, example: Tensor) -> ExportedProgram:
    """Return a model as a program that takes any number of examples.

    The model is traced with Python's own evaluation first. Where that fixes the number of examples,
    as ``len(inputs)`` does, torch.export's analysis of the code is tried.
    """
    with torch.no_grad():
        model(example)  # fills the caches of its layers with real tensors
        shapes = ({0: Dim("batch")},)
        try:
            return torch.export.export(model, (example,), dynamic_shapes=shapes, strict=False)
        except Exception as error:
            try:
                return torch.export.export(model, (example,), dynamic_shapes=shapes, strict=True)
            except Exception:
                raise error from None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries' warnings and log messages; errors are still raised."""
    levels = {name: logging.getLogger(name).level for name in NOISY}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for name in NOISY:
                logging.getLogger(name).setLevel(logging.CRITICAL)
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
