"""Evaluate a batch several times in one step: with the same dropout, and statistics once."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def rng_restored(device: torch.device) -> Iterator[None]:
    """Restore the random generators at the end; the next pass then has the same dropout masks."""
    before = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    if before is not None:
        torch.mps.set_rng_state(before)


@contextmanager
def buffers_restored(model: nn.Module) -> Iterator[None]:
    """Restore a model's buffers at the end, so that batch norm counts a batch only once."""
    before = [buffer.clone() for buffer in model.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(model.buffers(), before, strict=True):
                buffer.copy_(value)
