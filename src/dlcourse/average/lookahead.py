"""Lookahead: slow weights that follow fast ones and reset them."""

import torch
from torch import nn

from dlcourse.average.blend import blend_weights, frozen_copy, tensors


class Lookahead:
    """Averages the weights into slow weights every few steps and resets the weights to them.

    Every ``every`` steps: slow <- d slow + (1 - d) fast, then fast <- slow, with d = decay
    (share of the steps done)^power. The slow weights are evaluated and saved, and training
    continues from them. The optimizer keeps its momentum. Norm statistics are averaged and reset
    like weights; integers are copied.

    every: number of steps.
    decay: in [0, 1), of the slow weights; 1 - decay is the paper's step size.
    power: 0 for a constant decay; a larger one keeps the decay small at first.
    steps: the number of all training steps, see ``dlcourse.average``.

    Reference: Zhang, Lucas, Hinton, Ba, "Lookahead optimizer: k steps forward, 1 step back",
    NeurIPS 2019, algorithm 1; with a decay that grows to the end as in Jordan, "94% on CIFAR-10 in
    3.29 seconds on a single GPU", arXiv 2404.00498, 2024, section 3.4.
    Departs from it: norm statistics are averaged as the weights are.
    """

    def __init__(self, *, every: int, decay: float, power: float, steps: int) -> None:
        self.every, self.decay, self.power, self.steps = every, decay, power, steps

    def start(self, model: nn.Module) -> nn.Module:
        """Return a copy of the model: the slow weights."""
        return frozen_copy(model)

    @torch.no_grad()
    def update(self, averaged: nn.Module, model: nn.Module, step: int) -> None:
        """Update the slow weights and reset the fast ones, every few steps and at the end."""
        done = step + 1
        if done % self.every and done != self.steps:
            return
        blend_weights(averaged, model, 1 - self.decay * (done / self.steps) ** self.power)
        slow, fast = tensors(averaged), tensors(model)
        torch._foreach_copy_(  # pyright: ignore[reportPrivateImportUsage]
            [fast[name] for name in slow], list(slow.values())
        )
