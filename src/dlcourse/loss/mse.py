"""Mean squared error."""

from torch import Tensor
from torch.nn import functional as F


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of (outputs - targets)^2 over examples and outputs.

    outputs: (N, K); targets: (N, K) floats, or (N,) classes that are taken as one-hot vectors.

    Reference: Gauss, "Theoria motus", 1809.
    """
    if targets.dim() == 1:
        targets = F.one_hot(targets, outputs.shape[1]).to(outputs.dtype)  # (N, K)
    return F.mse_loss(outputs, targets)
