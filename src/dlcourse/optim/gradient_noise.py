"""Gradient noise."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcourse.random_streams import Purpose, mix

NOISY_STEPS = "noisy_steps"
"""The key of an optimizer's first group that counts the steps; a checkpoint stores it."""


class NoisyStep:
    """An optimizer's step after normal noise was added to every gradient.

    At step t, counted from 0, the noise has the variance noise^2 / (1 + t)^decay. It depends on the
    seed and t alone, so that every device of a run draws the same, and a resumed run continues.

    Reference: Neelakantan et al., "Adding gradient noise improves learning for very deep networks",
    arXiv 1511.06807, 2015, equation 1; there noise^2 is 0.01, 0.3 or 1, and decay is 0.55.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, noise: float, decay: float, seed: int
    ) -> None:
        self.optimizer, self.noise, self.decay, self.seed = optimizer, noise, decay, seed
        self.own_step: Callable[..., Any] = optimizer.step

    def __call__(self, closure: Callable[[], Tensor] | None = None) -> Any:
        """Add noise to the gradients, then update all parameters."""
        first, *_ = groups = self.optimizer.param_groups
        std = self.noise / (1 + first[NOISY_STEPS]) ** (self.decay / 2)
        device = first["params"][0].device
        random = torch.Generator(device).manual_seed(
            mix(self.seed, first[NOISY_STEPS], Purpose.GRADIENT_NOISE)
        )
        for group in groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.grad.add_(torch.empty_like(weight).normal_(0, std, generator=random))
        first[NOISY_STEPS] += 1
        return self.own_step() if closure is None else self.own_step(closure)


def use_gradient_noise(
    optimizer: torch.optim.Optimizer, noise: float, decay: float, seed: int
) -> None:
    """Replace an optimizer's step by one with noise, on this optimizer alone."""
    optimizer.param_groups[0][NOISY_STEPS] = 0
    replaced: Any = optimizer
    replaced.step = NoisyStep(optimizer, noise, decay, seed)
