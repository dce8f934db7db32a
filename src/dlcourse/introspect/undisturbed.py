"""Measure a model between two training steps without changing anything of the training."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


@contextmanager
def undisturbed(model: nn.Module, seed: int) -> Iterator[None]:
    """Restore at the end of the block all that a measurement may change, also after an error.

    Restored are the random generators of PyTorch (CPU and the model's device), numpy and Python;
    the model's buffers, such as the statistics of batch norm; and the training mode of every
    module. In the block a compiled model runs eagerly, so that hooks see its layers. Weights, their
    ``grad`` and the optimizer are not covered: use ``torch.autograd.grad``.

    seed: of the generators in the block, one that ``random_streams.mix`` has made.
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    compiled: Any = model._compiled_call_impl
    fast = torch.backends.mha.get_fastpath_enabled()
    apple = torch.mps.get_rng_state() if device.type == "mps" else None
    of_numpy, of_python = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            model._compiled_call_impl = None
            torch.backends.mha.set_fastpath_enabled(False)  # it would skip the layers' hooks
            yield
    finally:
        model._compiled_call_impl = compiled
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        if apple is not None:
            torch.mps.set_rng_state(apple)
        np.random.set_state(of_numpy)
        random.setstate(of_python)
