"""Exponential decay."""


def exponential(epoch: float, max_epochs: float, scores: list[float], *, gamma: float) -> float:
    """Return gamma^epoch, falling smoothly within an epoch: exp(-k t) with k = -ln gamma."""
    return gamma**epoch
