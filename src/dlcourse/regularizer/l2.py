"""The L2 penalty."""

from torch import Tensor, nn

from dlcourse.regularizer.penalized import penalized, total


def l2(model: nn.Module, *, strength: float, all_parameters: bool) -> Tensor:
    """Return strength / 2 times the sum of w^2.

    Because of the factor 1 / 2 its gradient is strength w: with plain gradient descent it equals a
    weight decay of the same value.

    Reference: Hoerl, Kennard, "Ridge regression", Technometrics 12, 1970.
    """
    return (
        strength / 2 * total(weight.square().sum() for weight in penalized(model, all_parameters))
    )
