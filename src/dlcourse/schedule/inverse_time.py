"""Inverse-time decay."""


def inverse_time(epoch: float, max_epochs: float, scores: list[float], *, rate: float) -> float:
    """Return 1 / (1 + rate epoch).

    Reference: Robbins, Monro, "A stochastic approximation method", Ann. Math. Stat. 22, 1951: the
    rates' sum diverges and the sum of their squares does not.
    """
    return 1.0 / (1.0 + rate * epoch)
