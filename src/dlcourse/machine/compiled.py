"""Compile a model for its training steps."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def compile_for_training(model: nn.Module) -> None:
    """Compile a model in place, for training on batches of the size that it sees first.

    Its evaluation and batches of other sizes, such as the last of an epoch, are computed without
    compilation: each would have to be compiled for itself, which takes longer than it saves. The
    model is compiled at its first training batch.
    """
    model.compile(dynamic=False)
    replaced: Any = model
    replaced._compiled_call_impl = CompiledForTraining(model, replaced._compiled_call_impl)


class CompiledForTraining:
    """Calls a model's compiled forward pass where it was compiled for, else the plain one."""

    def __init__(self, model: nn.Module, compiled: Callable[..., Any]) -> None:
        self.model, self.compiled = model, compiled
        self.shapes: list[torch.Size] | None = None

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """Return the model's outputs."""
        if not (self.model.training and torch.is_grad_enabled()):
            return self.model._call_impl(*inputs, **keywords)
        shapes = [value.shape for value in inputs if isinstance(value, Tensor)]
        if self.shapes is None:
            self.shapes = shapes
            return self.first_call(*inputs, **keywords)
        forward = self.compiled if shapes == self.shapes else self.model._call_impl
        return forward(*inputs, **keywords)

    def first_call(self, *inputs: Any, **keywords: Any) -> Any:
        """Compile the model and return its outputs."""
        with warnings.catch_warnings():  # the user has chosen the precision
            warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores")
            return self.compiled(*inputs, **keywords)
