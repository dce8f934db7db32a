"""Leave the step out."""

from dlcourse.core import NonFinite


def skip(*, max_skipped: int) -> NonFinite:
    """Return the policy that leaves out steps whose loss or gradient is not finite.

    Weights, optimizer, averages and norm statistics stay as they were before the step. The run ends
    if more than ``max_skipped`` steps of an epoch would be left out, if all of them were, and if a
    weight is not finite.
    """
    return NonFinite(max_skipped=max_skipped)
