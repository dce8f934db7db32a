"""Dropout on the inputs."""

from torch import Tensor
from torch.nn import functional as F


def dropout(
    inputs: Tensor, targets: Tensor, *, mean: Tensor, probability: float
) -> tuple[Tensor, Tensor]:
    """Replace each input by its mean with the given probability; return floats.

    The differences of the other inputs from their mean are multiplied by 1 / (1 - probability).
    After standardisation, which maps the mean to 0, this equals ``nn.Dropout`` before the first
    layer. With ``data.standardize=none`` the mean is 0. Every channel of a pixel is dropped
    independently.

    mean: see ``dlcourse.augment``.

    Reference: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout", JMLR 15, 2014,
    which drops 20 % of the inputs and 50 % of the hidden units.
    """
    return F.dropout(inputs - mean, probability) + mean, targets
