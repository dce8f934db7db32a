"""Clipping by value."""

from collections.abc import Iterable

from torch import Tensor, nn


def value(parameters: Iterable[Tensor], *, max_value: float) -> None:
    """Cut every component of every gradient to [-max_value, max_value]."""
    nn.utils.clip_grad_value_(parameters, max_value)
