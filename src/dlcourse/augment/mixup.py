"""Mixtures of two examples."""

from torch import Tensor

from dlcourse.augment.mixing import mixed, partners, shares, soft


def mixup(inputs: Tensor, targets: Tensor, *, classes: int, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix each example with another one of the batch, inputs and targets in the same share.

    Inputs, images or features, come back as floats. Classes (N,) come back as probabilities
    (N, classes), the values (N, K) of a regression as mixed values. The share that stays is drawn
    from Beta(alpha, alpha): 1 makes all shares equally likely, a small alpha mixes little.

    Reference: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR
    2018.
    Departs from it: every example draws a share of its own, where the authors' code draws one for
    the whole batch.
    """
    partner, share = partners(inputs), shares(inputs, alpha)
    return mixed(inputs, partner, share), mixed(soft(targets, classes), partner, share)
