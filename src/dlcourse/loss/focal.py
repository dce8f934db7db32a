"""The focal loss of each class's own sigmoid."""

from torch import Tensor
from torch.nn import functional as F

from dlcourse.loss.one_hot import one_hot

TINY = 1e-12  # x^gamma with gamma below 1 has no finite gradient at 0


def focal(
    outputs: Tensor,
    targets: Tensor,
    *,
    gamma: float,
    alpha: float | None,
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the mean over examples and classes of (1 - q)^gamma times -log q.

    q is the probability of what is true of a class: sigmoid(f) where the example has it, and
    1 - sigmoid(f) elsewhere. The factor is small where the model is right already, so that the many
    easy examples of frequent classes do not outweigh the few of rare ones.

    outputs: (N, K) logits f. targets: (N,) classes, converted to one-hot vectors, or (N, K)
    probabilities.
    gamma: at least 0; 0 is ``bce``. alpha: in [0, 1], the weight of the classes that an example
        has, and 1 - alpha that of the others; None for 1 each. pos_weight: (K,) more factors of the
        classes that an example has; None for 1.

    Reference: Lin, Goyal, Girshick, He, Dollar, "Focal loss for dense object detection", ICCV 2017,
    equation 5.
    Departs from it: the mean over examples and classes instead of the sum over the number of
    objects.
    """
    own = one_hot(targets, outputs)
    positive, negative = (
        -F.logsigmoid(logits) * (-logits).sigmoid().clamp(min=TINY) ** gamma  # a gradient at 0
        for logits in (outputs, -outputs)
    )
    if alpha is not None:
        positive, negative = alpha * positive, (1 - alpha) * negative
    if pos_weight is not None:
        positive = pos_weight * positive
    return (own * positive + (1 - own) * negative).mean()
