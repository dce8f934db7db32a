"""Early stopping."""

import math


def patience(scores: list[float], *, patience: int, min_delta: float) -> bool:
    """Return whether ``patience`` epochs have gone by without a score better than the best.

    min_delta: a gain must be larger than this to count.

    Reference: Prechelt, "Early stopping - but when?", 1998.
    """
    waited, best = 0, -math.inf
    for score in scores:
        if score > best + min_delta:
            waited, best = 0, score
        else:
            waited += 1
    return waited >= patience
