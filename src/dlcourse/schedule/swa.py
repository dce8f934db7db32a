"""The learning rate of stochastic weight averaging."""


def swa(
    epoch: float, max_epochs: float, scores: list[float], *, start: float, final: float
) -> float:
    """Return 1, then a straight line down to ``final``, which is kept while weights are averaged.

    The fall is from 0.5 to 0.9 of the time before the share ``start`` of the epochs.

    Reference: Izmailov, Podoprikhin, Garipov, Vetrov, Wilson, "Averaging weights leads to wider
    optima and better generalization", UAI 2018; the fall is that of the authors' code.
    """
    share = epoch / (start * max_epochs)
    if share <= 0.5:
        return 1.0
    return max(final, 1 - (1 - final) * (share - 0.5) / 0.4)
