"""The one-cycle policy."""

import math
from bisect import bisect_right


def one_cycle(
    epoch: float,
    max_epochs: float,
    scores: list[float],
    *,
    pct_start: float,
    div_factor: float,
    final_div_factor: float,
    anneal_strategy: str,
    three_phase: bool,
) -> float:
    """Return a factor that rises to 1, the base rate being the largest, and then falls.

    It starts at 1 / div_factor, is 1 after the share ``pct_start`` of the epochs, and ends at
    1 / (div_factor final_div_factor). With ``three_phase`` it first falls back to its start, in the
    same time as it rose, and then to the end.

    anneal_strategy: the shape of each segment, ``cos`` or ``linear``.

    Reference: Smith, Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", SPIE 2019 (arXiv 2017).
    Departs from it: the form and the defaults are those of ``torch.optim.lr_scheduler.OneCycleLR``;
    the paper's are ``anneal_strategy=linear three_phase=true``. The momentum is constant.
    Departs from PyTorch: the cycle ends at the end of the last step, not at its start.
    """
    start = 1 / div_factor
    knots = {0.0: start, pct_start: 1.0}
    if three_phase and pct_start < 0.5:
        knots[2 * pct_start] = start
    knots[1.0] = start / final_div_factor
    shares, heights = list(knots), list(knots.values())

    share = epoch / max_epochs
    piece = min(bisect_right(shares, share), len(shares) - 1)  # ends at knot ``piece``
    way = (share - shares[piece - 1]) / (shares[piece] - shares[piece - 1])
    if anneal_strategy == "cos":
        way = (1 - math.cos(math.pi * way)) / 2
    return heights[piece - 1] + way * (heights[piece] - heights[piece - 1])
