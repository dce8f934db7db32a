"""Cosine annealing."""

import math


def cosine(epoch: float, max_epochs: float, scores: list[float], *, final: float) -> float:
    """Return half a cosine from 1 at the start down to ``final`` at the end.

    Reference: Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    2017, equation 5, without restarts.
    """
    return final + (1 - final) * (1 + math.cos(math.pi * epoch / max_epochs)) / 2
