"""Lion."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class Lion(torch.optim.Optimizer):
    """Moves every weight by the rate, in the direction of the sign of a momentum.

    For a gradient g: w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w), then
    m <- b2 m + (1 - b2) g. The only state is m.

    Nothing is read back from the device, and learning rates may be tensors, so that a step can be
    captured in a CUDA graph.

    Reference: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023,
    algorithm 2.
    """

    capturable = True  # all state is on the device

    def __init__(self, groups: list[dict], *, lr: float, betas: Sequence[float]) -> None:
        super().__init__(groups, {"lr": lr, "betas": tuple(betas), "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["momentum"] = torch.zeros_like(weight)
            if weights:
                self.move(weights, group)
        return loss

    def move(self, weights: list[Tensor], group: dict) -> None:
        """Update the weights and the momenta of a group."""
        lists: Any = torch  # whose operations on lists of tensors have no public names
        gradients = [weight.grad for weight in weights]
        momenta = [self.state[weight]["momentum"] for weight in weights]
        first, second = group["betas"]
        steps = list(lists._foreach_lerp(momenta, gradients, 1 - first))
        lists._foreach_sign_(steps)
        lists._foreach_mul_(steps, group["lr"])
        if group["weight_decay"]:
            lists._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        lists._foreach_sub_(weights, steps)
        lists._foreach_lerp_(momenta, gradients, 1 - second)
