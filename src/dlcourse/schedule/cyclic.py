"""Cyclical learning rates."""

from math import floor


def cyclic(
    epoch: float,
    max_epochs: float,
    scores: list[float],
    *,
    up: float,
    down: float,
    low: float,
    cycle: str,
    gamma: float,
) -> float:
    """Return a factor that rises from ``low`` in ``up`` epochs and falls back in ``down`` epochs.

    cycle: the height of the peaks. ``triangular``: 1. ``triangular2``: the distance from ``low`` is
        halved after each cycle. ``exp_range``: it is multiplied by ``gamma`` to the power of the
        epoch.

    Reference: Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    Departs from it: ``gamma`` is per epoch, there per step.
    """
    number = floor(epoch / (up + down))
    place = epoch - number * (up + down)
    height = place / up if place <= up else (up + down - place) / down
    scale = {"triangular": 1.0, "triangular2": 0.5**number, "exp_range": gamma**epoch}[cycle]
    return low + (1 - low) * height * scale
