"""The quantile loss."""

from torch import Tensor


def quantile(outputs: Tensor, targets: Tensor, *, q: float) -> Tensor:
    """Return the mean of q r for residuals r = target - output above 0, and of (q - 1) r below.

    Its minimum is at the q-quantile of the targets: with q = 0.9, nine of ten are below the
    prediction. For q = 0.5 it is half of ``mae``. Also called the pinball loss.

    outputs, targets: (N, K). q: in (0, 1).

    Reference: Koenker, Bassett, "Regression quantiles", Econometrica 46(1), 1978.
    """
    residual = targets - outputs
    return (q * residual.relu() + (1 - q) * (-residual).relu()).mean()
