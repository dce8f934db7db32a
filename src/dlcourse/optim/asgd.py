"""Averaged stochastic gradient descent."""

import torch
from torch import Tensor

from dlcourse.optim.evaluated_mean import EvaluatedMean


def mean_since_t0(weight: Tensor, state: dict, group: dict) -> Tensor:
    """Return the mean of a parameter over the steps since ``t0``."""
    return state["ax"]


class ASGD(torch.optim.ASGD):
    """Updates by SGD with a falling rate; the mean of the weights is evaluated and kept.

    The rate is lr / (1 + lambd lr step)^alpha. Until step ``t0`` the mean is the weights
    themselves.

    Reference: Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J.
    Control Optim. 30, 1992; in PyTorch's implementation, after Bottou's.
    """

    average = EvaluatedMean(mean_since_t0)

    def __init__(
        self, groups: list[dict], *, lr: float, lambd: float, alpha: float, t0: float
    ) -> None:
        super().__init__(groups, lr=lr, lambd=lambd, alpha=alpha, t0=t0)
