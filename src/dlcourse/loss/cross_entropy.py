"""Cross-entropy."""

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(outputs: Tensor, targets: Tensor, *, label_smoothing: float) -> Tensor:
    """Return the mean of -log softmax(outputs)[target].

    outputs: (N, K) logits. targets: (N,) classes, or (N, K) probabilities.
    label_smoothing: in [0, 1), the share of each target that is spread evenly over all classes.

    Reference: Bridle, "Probabilistic interpretation of feedforward classification network
    outputs", 1990; Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, section 7.
    """
    return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
