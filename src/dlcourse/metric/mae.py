"""Mean absolute error, as a metric."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.of_each_output import by_output


class MeanAbsoluteError(Metric):
    """The mean absolute error, in the targets' unit; several outputs are averaged."""

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum over examples of |outputs - targets|, averaged over the K outputs."""
        return (outputs - targets).abs().mean(1).sum()

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"mae": value}``."""
        return {"mae": float(sums) / examples}

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the mean and the median absolute error of each of several outputs."""
        errors = (outputs.double() - targets.double()).abs()
        return by_output(mae=errors.mean(0), median_absolute_error=errors.quantile(0.5, 0))
