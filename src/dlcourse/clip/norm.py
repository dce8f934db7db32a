"""Clipping by norm."""

from torch import nn


def norm(model: nn.Module, *, max_norm: float) -> None:
    """Scale all gradients by one factor so that their joint Euclidean norm is at most ``max_norm``.

    Reference: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
    ICML 2013, algorithm 1.
    """
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
