"""Cosine annealing with warm restarts."""

import math


def cosine_restarts(
    epoch: float,
    max_epochs: float,
    scores: list[float],
    *,
    t_0: float,
    t_mult: float,
    final: float,
) -> float:
    """Return cosines from 1 down to ``final``, one after another.

    The first has ``t_0`` epochs, each other ``t_mult`` times as many as the one before it. The
    optimizer's momentum is kept at a restart.

    Reference: Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    2017, equation 5.
    """
    length, start = t_0, 0.0
    if t_mult == 1:
        start = t_0 * math.floor(epoch / t_0)
    while t_mult > 1 and epoch >= start + length:
        start, length = start + length, length * t_mult
    return final + (1 - final) * (1 + math.cos(math.pi * (epoch - start) / length)) / 2
