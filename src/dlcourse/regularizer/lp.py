"""The Lp penalty."""

from torch import Tensor, nn

from dlcourse.regularizer.penalized import penalized, total


def lp(model: nn.Module, *, strength: float, p: float, all_parameters: bool) -> Tensor:
    """Return strength times the sum of |w|^p.

    p: at least 1, for a convex penalty. There is no root and no factor 1 / p: p = 1 is ``l1``, and
    p = 2 is ``l2`` with twice the strength.

    Reference: Frank, Friedman, "A statistical view of some chemometrics regression tools",
    Technometrics 35(2), 1993 (bridge regression).
    """
    return strength * total(
        weight.abs().pow(p).sum() for weight in penalized(model, all_parameters)
    )
