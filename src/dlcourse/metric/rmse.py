"""Root mean squared error."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.of_each_output import by_output


class RMSE(Metric):
    """The root of the mean squared error, in the targets' unit."""

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum over examples of (outputs - targets)^2, averaged over the K outputs."""
        return (outputs - targets).square().mean(1).sum()

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"rmse": value}``."""
        return {"rmse": (float(sums) / examples) ** 0.5}

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the value of each of several outputs."""
        errors = outputs.double() - targets.double()
        return by_output(rmse=errors.square().mean(0).sqrt())
