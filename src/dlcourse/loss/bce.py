"""Binary cross-entropy, class by class."""

from torch import Tensor
from torch.nn import functional as F

from dlcourse.loss.one_hot import one_hot


def bce(outputs: Tensor, targets: Tensor, *, pos_weight: Tensor | None = None) -> Tensor:
    """Return the mean over examples and classes of -t log p - (1 - t) log(1 - p), p = sigmoid(f).

    Each class is a separate yes-or-no question: the probabilities need not add up to 1.

    outputs: (N, K) logits f. targets: (N,) classes, converted to one-hot vectors t, or (N, K)
    probabilities t. pos_weight: (K,) factors of -t log p; None for 1.

    It is the mean over K classes, as in PyTorch; some papers use the sum.

    Reference: Cox, "The regression analysis of binary sequences", J. R. Stat. Soc. B 20, 1958; one
    against the rest, for several classes: Rifkin, Klautau, "In defense of one-vs-all
    classification", JMLR 5, 2004.
    """
    own = one_hot(targets, outputs)
    return F.binary_cross_entropy_with_logits(outputs, own, pos_weight=pos_weight)
