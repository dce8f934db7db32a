"""Mean squared error."""

from torch import Tensor
from torch.nn import functional as F

from dlcourse.loss.one_hot import one_hot


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of (outputs - targets)^2 over examples and outputs.

    outputs: (N, K). targets: (N, K) floats, or (N,) classes, converted to one-hot vectors.

    Reference: Gauss, "Theoria motus", 1809.
    """
    return F.mse_loss(outputs, one_hot(targets, outputs))
