"""The L2 penalty."""

from torch import Tensor, nn

from dlcourse.regularizer.penalized import penalized


def l2(model: nn.Module, *, strength: float, all_parameters: bool) -> Tensor:
    """Return strength / 2 times the sum of w^2.

    With the half, its gradient is strength w, so that under plain gradient descent it equals a
    weight decay of the same number.

    Reference: Hoerl, Kennard, "Ridge regression", Technometrics 12, 1970.
    """
    return strength / 2 * sum(weight.square().sum() for weight in penalized(model, all_parameters))
