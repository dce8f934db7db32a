"""Lookahead: slow weights that fast ones run ahead of."""

import torch
from torch import nn

from dlcourse.average.blend import blend_weights, still_copy, tensors


class Lookahead:
    """Lets the weights run ahead and, every few steps, calls them back to where slow ones have got.

    Every ``every`` steps: slow <- d slow + (1 - d) fast, then fast <- slow, with d = decay
    (share of the training done)^power. The slow weights are what is evaluated and kept, and unlike
    other averages they steer: training goes on from them. The optimizer keeps its momentum. Norm
    statistics go along; what is not a float is copied.

    every: steps. decay: in [0, 1), of the slow weights; one less the paper's step size. power: 0
    for the same decay throughout, more to let the weights go freely at first.
    steps: those of the whole training.

    Reference: Zhang, Lucas, Hinton, Ba, "Lookahead optimizer: k steps forward, 1 step back",
    NeurIPS 2019, algorithm 1; with a decay that grows to the end as in Jordan, "94% on CIFAR-10 in
    3.29 seconds on a single GPU", arXiv 2404.00498, 2024, section 3.4.
    Departs from it: norm statistics are averaged as the weights are.
    """

    def __init__(self, *, every: int, decay: float, power: float, steps: int) -> None:
        self.every, self.decay, self.power, self.steps = every, decay, power, steps

    def start(self, model: nn.Module) -> nn.Module:
        """Return a copy of the model: the slow weights."""
        return still_copy(model)

    @torch.no_grad()
    def update(self, averaged: nn.Module, model: nn.Module, step: int) -> None:
        """Move the slow weights and call the fast ones back, every few steps and at the end."""
        done = step + 1
        if done % self.every and done != self.steps:
            return
        blend_weights(averaged, model, 1 - self.decay * (done / self.steps) ** self.power)
        slow, fast = tensors(averaged), tensors(model)
        torch._foreach_copy_([fast[name] for name in slow], list(slow.values()))
