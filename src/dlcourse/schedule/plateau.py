"""Reduction of the learning rate on plateaus."""

import math


def plateau(
    epoch: float, max_epochs: float, scores: list[float], *, gamma: float, patience: int
) -> float:
    """Return gamma^k, where k counts the reductions so far.

    The rate is reduced when more than ``patience`` consecutive epochs have not improved the best
    score. Then the count of epochs restarts at 0; the best score is kept.

    Departs from ``torch.optim.lr_scheduler.ReduceLROnPlateau``: every improvement counts, as there
    with threshold 0.
    """
    falls, stalled, best = 0, 0, -math.inf
    for score in scores:
        stalled = 0 if score > best else stalled + 1
        best = max(best, score)
        if stalled > patience:
            falls, stalled = falls + 1, 0
    return gamma**falls
