"""Go back to the end of the last epoch, with a smaller learning rate."""

from dlcourse.core import NonFinite


def rollback(*, max_rollbacks: int, factor: float) -> NonFinite:
    """Return the policy that repeats an epoch from its start, with all rates times a factor.

    The epoch has the same examples and random numbers again, and the factor stays to the end of the
    run. The run ends after ``max_rollbacks`` returns.

    factor: between 0 and 1.
    """
    return NonFinite(max_rollbacks=max_rollbacks, factor=factor)
