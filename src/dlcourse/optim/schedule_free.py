"""Schedule-free optimizers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dlcourse.optim.evaluated_mean import EvaluatedMean
from dlcourse.terminal.extras import require


def mean_of_fast_weights(weight: Tensor, state: dict, group: dict) -> Tensor:
    """Return the mean x of a parameter; it is trained at y = (1 - b) z + b x, and z is stored."""
    between = group["momentum"] if "momentum" in group else group["betas"][0]
    return weight.lerp(state["z"], 1 - 1 / between)


def schedule_free(
    groups: list[dict],
    *,
    lr: float,
    variant: str,
    betas: Sequence[float],
    eps: float,
    r: float,
    weight_lr_power: float,
) -> torch.optim.Optimizer:
    """Return an optimizer that evaluates a mean of its weights and needs no falling rate.

    The fast weights z take plain steps, the mean x of them is evaluated and kept, and gradients are
    computed between the two, at y = (1 - betas[0]) z + betas[0] x.

    variant: the steps of z: ``sgd``, ``adamw``, or ``radam``, which is rectified at the start.

    Reference: Defazio et al., "The road less scheduled", NeurIPS 2024; in the authors' package
    schedulefree.
    """
    package = require("schedulefree", "optim=schedule_free")
    shared = {"lr": lr, "r": r, "weight_lr_power": weight_lr_power}
    if variant == "sgd":
        optimizer = package.SGDScheduleFree(groups, momentum=betas[0], **shared)
    else:
        kinds = {"adamw": package.AdamWScheduleFree, "radam": package.RAdamScheduleFree}
        optimizer = kinds[variant](groups, betas=tuple(betas), eps=eps, **shared)
    optimizer.train()  # for good: the mean is evaluated on a copy of the model
    return optimizer


schedule_free.__dict__["average"] = EvaluatedMean(mean_of_fast_weights)
