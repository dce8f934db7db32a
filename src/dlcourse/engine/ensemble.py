"""Several models asked as one."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.schema.facts import SCORE_LOSSES, YES_OR_NO_LOSSES


def average(outputs: Tensor, loss: str, *, classes: bool) -> Tensor:
    """Return the outputs (N, K) of the mean of several models' probabilities, as float64.

    outputs: (models, N, K). loss: the target of the loss they were trained with, which tells what
    their outputs are. classes: whether they are those of classes.

    - Logits of a softmax (``cross_entropy``, ``nll`` and every loss that is not dlcourse's): the
      logarithm of the mean probability, whose softmax is that mean.
    - Logits of a yes or no for each class (``bce``): the log-odds of the mean probability.
    - Scores (``hinge``, ``squared_hinge``, ``perceptron``, ``mse``) and the values of a regression
      have no probabilities: the mean of the outputs themselves.

    Reference: Hansen, Salamon, "Neural network ensembles", IEEE PAMI 12(10), 1990.
    """
    outputs = outputs.double()
    if not classes or loss in SCORE_LOSSES:
        return outputs.mean(0)
    if loss in YES_OR_NO_LOSSES:  # up to the same constant, the logarithms of p and of 1 - p
        return F.logsigmoid(outputs).logsumexp(0) - F.logsigmoid(-outputs).logsumexp(0)
    return torch.log_softmax(outputs, 2).logsumexp(0) - math.log(len(outputs))
