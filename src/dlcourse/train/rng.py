"""Random numbers as a function of the seed and the epoch."""

import random

import numpy as np
import torch
from torch import Tensor

from dlcourse.order import mix

INITIAL = -1  # the "epoch" in which initial weights are drawn


def reseed(seed: int, epoch: int) -> None:
    """Start all random number generators anew for an epoch, on every device.

    Nothing is carried over from the epoch before, so there is nothing to save or restore.
    """
    number = mix(seed, epoch, "layers")
    torch.manual_seed(number)
    np.random.seed(number % 2**32)
    random.seed(number)


def epoch_order(examples: int, seed: int, epoch: int) -> Tensor:
    """Return the order (N,) in which an epoch visits the examples, the same on every device."""
    generator = torch.Generator().manual_seed(mix(seed, epoch, "order"))
    return torch.randperm(examples, generator=generator)
