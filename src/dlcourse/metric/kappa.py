"""Cohen's kappa."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.classification import chance_corrected, confusion_counts


class Kappa(Metric):
    """The accuracy above that of guessing, as a share of what is possible: at most 1, 0 by chance.

    Guessing means to predict each class as often as the model does, at random.

    Reference: Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
    Measurement 20(1), 1960.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the counts (K, K) of (N, K) outputs and (N,) targets."""
        return confusion_counts(outputs, targets)

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"kappa": value}``."""
        return {"kappa": chance_corrected(sums)["kappa"]}
