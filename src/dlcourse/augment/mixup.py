"""mixup: weighted means of two examples."""

from torch import Tensor

from dlcourse.augment.mixing import mixed, partners, shares, soft


def mixup(inputs: Tensor, targets: Tensor, *, classes: int, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix each example with another one of the batch, inputs and targets with the same weights.

    Inputs (N, ...) are images or features and are returned as floats. Returns classes (N,) as
    probabilities (N, classes), and the values (N, K) of a regression as mixed values.

    classes: see ``dlcourse.augment``.
    alpha: the weights are drawn from Beta(alpha, alpha): uniform for 1, near 0 and 1 for a small
        alpha.

    Reference: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR
    2018.
    Departs from it: every example draws its own weight; the authors' code draws one per batch.
    """
    partner, share = partners(inputs), shares(inputs, alpha)
    return mixed(inputs, partner, share), mixed(soft(targets, classes), partner, share)
