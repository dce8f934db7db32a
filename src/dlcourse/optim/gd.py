"""Gradient descent on the whole training part."""

import torch


def gd(groups: list[dict], *, lr: float) -> torch.optim.Optimizer:
    """Return an optimizer with the step w <- w - lr dL/dw.

    ``optim=gd`` sets the batch size to the whole training part.

    Reference: Cauchy, "Methode generale pour la resolution des systemes d'equations simultanees",
    1847.
    """
    return torch.optim.SGD(groups, lr=lr, fused=True)
