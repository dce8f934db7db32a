"""Dropout on the inputs."""

from torch import Tensor
from torch.nn import functional as F


def dropout(
    inputs: Tensor, targets: Tensor, *, mean: Tensor, probability: float
) -> tuple[Tensor, Tensor]:
    """Replace inputs by their mean, each with a probability, and return floats.

    What stays is stretched away from the mean by 1 / (1 - probability). After standardisation this
    is ``nn.Dropout`` in front of the model: a mean has become 0. With ``data.standardize=none`` the
    mean is 0 from the start. Each channel of each pixel draws for itself.

    mean: of the training part, as the standardisation has it; it broadcasts against one example.

    Reference: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout", JMLR 15, 2014,
    which drops a fifth of the inputs and half of the hidden units.
    """
    return F.dropout(inputs - mean, probability) + mean, targets
