"""Mean absolute error."""

from torch import Tensor
from torch.nn import functional as F


def mae(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of |outputs - targets| over examples and outputs, both (N, K).

    Its minimum is at the median of the targets, where that of ``mse`` is at their mean.

    Reference: Laplace, "Sur quelques points du systeme du monde", 1793; Bloomfield, Steiger, "Least
    absolute deviations", 1983.
    """
    return F.l1_loss(outputs, targets)
