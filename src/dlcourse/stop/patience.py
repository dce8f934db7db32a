"""Early stopping."""

import math


def patience(scores: list[float], *, patience: int, min_delta: float) -> bool:
    """Return whether the last ``patience`` epochs or more have not improved the best score.

    min_delta: an improvement must be larger than this.

    Reference: Prechelt, "Early stopping - but when?", 1998.
    """
    waited, best = 0, -math.inf
    for score in scores:
        if score > best + min_delta:
            waited, best = 0, score
        else:
            waited += 1
    return waited >= patience
