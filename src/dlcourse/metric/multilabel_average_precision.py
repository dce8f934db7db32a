"""Average precision of examples that can have several classes."""

from torch import Tensor

from dlcourse.introspect.several_classes import HALF
from dlcourse.metric.average_precision import AveragePrecision


class MultilabelAveragePrecision(AveragePrecision):
    """The mean over classes of the average precision (mAP), where examples have several classes.

    As ``AveragePrecision``, but examples are sorted by the sigmoid of a class's output, and every
    class of an example counts.

    Reference: Salton, McGill, "Introduction to modern information retrieval", 1983, chapter 5.
    """

    def own(self, targets: Tensor, classes: int) -> Tensor:
        """Return which classes each example has: (N, K), 0 or 1."""
        return targets > HALF

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each class (N, K) by itself, float64."""
        return outputs.double().sigmoid()
