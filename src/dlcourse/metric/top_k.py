"""Top-k accuracy."""

from torch import Tensor

from dlcourse.core import Metric
from dlcourse.introspect.classification import true_class


class TopK(Metric):
    """The share of examples, from 0 to 1, whose class is among the k largest outputs."""

    def __init__(self, *, k: int) -> None:
        self.k = k

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the number () of outputs (N, K) with the target (N,) among their k largest."""
        largest = outputs.topk(min(self.k, outputs.shape[1]), dim=1).indices  # (N, k)
        return (largest == true_class(targets)[:, None]).sum()

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"top_k": share}``."""
        return {"top_k": float(sums) / examples}
