"""Clipping by value."""

from torch import nn


def value(model: nn.Module, *, max_value: float) -> None:
    """Clip every component of every gradient to [-max_value, max_value]."""
    nn.utils.clip_grad_value_(model.parameters(), max_value)
