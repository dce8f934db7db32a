"""Average the predictions of several models."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def average(outputs: Tensor, kind: str, *, task: str) -> Tensor:
    """Return the outputs (N, K) of the mean of several models' probabilities, as float64.

    outputs: (models, N, K). kind: softmax, sigmoid or scores, as the training loss declares its
    ``outputs``. task: that of the data set, as ``Dataset.task``.

    - Logits of a softmax (``cross_entropy``, ``nll`` and every loss that declares nothing): the
      logarithm of the mean probability, whose softmax is the mean probability.
    - Logits of one sigmoid for each class (``bce``, and every loss but those of scores where an
      example can have several classes): the log-odds of the mean probability.
    - Scores (``hinge``, ``squared_hinge``, ``perceptron``, ``mse``) and the values of a regression:
      the mean of the outputs, because there are no probabilities.

    Reference: Hansen, Salamon, "Neural network ensembles", IEEE PAMI 12(10), 1990.
    """
    outputs = outputs.double()
    if task == "regression" or kind == "scores":
        return outputs.mean(0)
    if kind == "sigmoid" or task == "multilabel":  # log p - log(1 - p); log(models) cancels
        return F.logsigmoid(outputs).logsumexp(0) - F.logsigmoid(-outputs).logsumexp(0)
    return torch.log_softmax(outputs, 2).logsumexp(0) - math.log(len(outputs))
