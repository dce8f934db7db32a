"""Adafactor."""

import torch


def adafactor(
    groups: list[dict], *, lr: float, beta2_decay: float, max_update: float, smallest_scale: float
) -> torch.optim.Optimizer:
    """Return an optimizer that keeps only row and column means of a matrix's squared gradients.

    A step is min(lr, 1 / sqrt(step)) times the root mean square of the weights, times a gradient
    of root mean square 1. There is no momentum. Weight decay is decoupled.

    beta2_decay: the decay of the means is 1 - step^beta2_decay; negative.
    max_update: bounds the root mean square of an update, before it is multiplied by the step.
    smallest_scale: lower bound of the weights' root mean square.

    Reference: Shazeer, Stern, "Adafactor: adaptive learning rates with sublinear memory cost",
    ICML 2018; in PyTorch's implementation.
    """
    eps = (None, smallest_scale)
    return torch.optim.Adafactor(groups, lr=lr, beta2_decay=beta2_decay, eps=eps, d=max_update)
