"""The L1 penalty."""

from torch import Tensor, nn

from dlcourse.regularizer.penalized import penalized, total


def l1(model: nn.Module, *, strength: float, all_parameters: bool) -> Tensor:
    """Return strength times the sum of |w|.

    Reference: Tibshirani, "Regression shrinkage and selection via the lasso", J. R. Stat. Soc. B
    58, 1996.
    """
    return strength * total(weight.abs().sum() for weight in penalized(model, all_parameters))
