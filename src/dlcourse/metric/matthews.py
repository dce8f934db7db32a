"""The Matthews correlation coefficient."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.classification import chance_corrected, confusion_counts


class Matthews(Metric):
    """The correlation of true and predicted classes: at most 1, 0 by chance.

    Reference: Matthews, "Comparison of the predicted and observed secondary structure of T4 phage
    lysozyme", Biochimica et Biophysica Acta 405, 1975; several classes: Gorodkin, "Comparing two
    K-category assignments by a K-category correlation coefficient", Computational Biology and
    Chemistry 28, 2004.
    """

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the counts (K, K) of (N, K) outputs and (N,) targets."""
        return confusion_counts(outputs, targets)

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"matthews": value}``."""
        return {"matthews": chance_corrected(sums)["matthews"]}
