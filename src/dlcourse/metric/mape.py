"""Mean absolute percentage error."""

from torch import Tensor

from dlcourse.core import Metric

SMALLEST_TARGET = 2.0**-52  # of a target that is divided by, as in scikit-learn


class MAPE(Metric):
    """The mean of |outputs - targets| / |targets|, as a share: 0.1 is 10 %.

    Several outputs are averaged. Targets near 0 make it huge.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum over examples of the relative errors, averaged over the K outputs."""
        errors = (outputs.double() - targets.double()).abs()
        return (errors / targets.double().abs().clamp(min=SMALLEST_TARGET)).mean(1).sum()

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"mape": share}``."""
        return {"mape": float(sums) / examples}
