"""End the run."""

from dlcourse.core import NonFinite


def stop_run() -> NonFinite:
    """Return the policy that ends the run with the state of its last checkpoint."""
    return NonFinite()
