"""The multi-class hinge loss."""

from torch import Tensor


def hinge(outputs: Tensor, targets: Tensor, *, margin: float) -> Tensor:
    """Return the mean over examples of the sum over wrong classes of max(0, f_j - f_y + margin).

    outputs: (N, K) scores f. targets: (N,) classes y.

    Reference: Weston, Watkins, "Support vector machines for multi-class pattern recognition",
    ESANN 1999.
    Departs from it: ``torch.nn.MultiMarginLoss`` divides by the number of classes, this does not.
    """
    true_score = outputs.gather(1, targets[:, None])  # (N, 1)
    excess = (outputs - true_score + margin).clamp(min=0).sum(1)  # (N,)
    return excess.mean() - margin  # the term of the true class is the margin
