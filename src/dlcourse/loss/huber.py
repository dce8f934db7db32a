"""The Huber loss."""

from torch import Tensor
from torch.nn import functional as F


def huber(outputs: Tensor, targets: Tensor, *, delta: float) -> Tensor:
    """Return the mean of r^2 / 2 for residuals |r| <= delta, else of delta (|r| - delta / 2).

    Large residuals, such as those of outliers, count linearly and not squared. Divided by delta it
    is ``torch.nn.SmoothL1Loss(beta=delta)``.

    outputs, targets: (N, K), r their difference. delta: above 0, in the targets' unit.

    Reference: Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics
    35(1), 1964.
    """
    return F.huber_loss(outputs, targets, delta=delta)
