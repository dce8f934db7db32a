"""The focal loss of a softmax."""

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.loss.focal import TINY
from dlcourse.loss.one_hot import one_hot


def focal_softmax(outputs: Tensor, targets: Tensor, *, gamma: float) -> Tensor:
    """Return the mean of (1 - p)^gamma times -log p, where p = softmax(outputs)[target].

    Examples that are right already count less, so that the many easy ones of frequent classes do
    not outweigh the few of rare ones. ``loss.class_weight`` takes the place of alpha.

    outputs: (N, K) logits. targets: (N,) classes, or (N, K) probabilities as weights of each
    class's term. gamma: at least 0; 0 is ``cross_entropy``.

    Reference: Lin, Goyal, Girshick, He, Dollar, "Focal loss for dense object detection", ICCV 2017,
    equation 4.
    Departs from it: the softmax of all classes instead of a sigmoid.
    """
    logs = F.log_softmax(outputs, dim=1)  # (N, K)
    terms = (-torch.expm1(logs)).clamp(min=TINY) ** gamma * logs
    return -(one_hot(targets, outputs) * terms).sum(1).mean()
