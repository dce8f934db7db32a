"""A learning rate that falls when progress stalls."""

import math


def plateau(
    epoch: float, max_epochs: float, scores: list[float], *, gamma: float, patience: int
) -> float:
    """Return gamma to the power of how often more than ``patience`` epochs brought nothing better.

    After each fall the count begins anew; the best score so far stays. The whole of it follows
    from the scores, so there is no state to save.

    Departs from ``torch.optim.lr_scheduler.ReduceLROnPlateau``, with which it agrees at threshold
    0: any gain counts.
    """
    falls, stalled, best = 0, 0, -math.inf
    for score in scores:
        stalled = 0 if score > best else stalled + 1
        best = max(best, score)
        if stalled > patience:
            falls, stalled = falls + 1, 0
    return gamma**falls
