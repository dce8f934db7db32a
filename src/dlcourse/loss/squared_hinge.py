"""The squared multi-class hinge loss."""

from torch import Tensor


def squared_hinge(outputs: Tensor, targets: Tensor, *, margin: float) -> Tensor:
    """Return the mean over examples of the sum over wrong classes of max(0, f_j - f_y + margin)^2.

    Unlike ``hinge``, it is differentiable at the margin and penalises large violations more.

    outputs: (N, K) scores f. targets: (N,) classes y.

    Reference: Tang, "Deep learning using linear support vector machines", ICML 2013 workshop on
    representation learning, equation 6.
    Departs from it: the wrong classes are compared with the true one, as in ``hinge`` (Weston,
    Watkins 1999), instead of each class with the rest. ``torch.nn.MultiMarginLoss(p=2)`` divides by
    the number of classes, this does not.
    """
    true_score = outputs.gather(1, targets[:, None])  # (N, 1)
    excess = (outputs - true_score + margin).clamp(min=0).square().sum(1)  # (N,)
    return excess.mean() - margin**2  # the term of the true class
