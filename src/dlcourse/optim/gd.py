"""Gradient descent on the whole training part."""

import torch


def gd(groups: list[dict], *, lr: float) -> torch.optim.Optimizer:
    """Make w <- w - lr dL/dw; its config asks for the whole training part as one batch.

    Reference: Cauchy, "Methode generale pour la resolution des systemes d'equations simultanees",
    1847.
    """
    return torch.optim.SGD(groups, lr=lr, fused=True)
