"""The coefficient of determination."""

import torch
from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.of_each_output import by_output


class R2(Metric):
    """One minus the mean squared error divided by the variance of the targets.

    1 is perfect; predicting the mean gives 0. Several outputs are averaged. A constant target
    counts as 1 if predicted exactly, else 0.

    Reference: Wright, "Correlation and causation", J. Agric. Research 20, 1921.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sums (3, K) of squared errors, of targets and of squared targets."""
        error = (outputs - targets).double()
        targets = targets.double()
        return torch.stack([error.square().sum(0), targets.sum(0), targets.square().sum(0)])

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"r2": value}``."""
        return {"r2": float(self.of_each(sums, examples).mean())}

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the value of each of several outputs."""
        return by_output(r2=self.of_each(self.measure(outputs, targets), len(targets)))

    def of_each(self, sums: Tensor, examples: int) -> Tensor:
        """Return the value (K,) of each output."""
        error, total, squares = sums
        variation = squares - total.square() / examples
        constant = variation <= 1e-12 * squares
        explained = 1 - error / variation.where(~constant, 1)
        return explained.where(~constant, (error == 0).double())
