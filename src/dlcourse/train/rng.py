"""Random numbers as a function of the seed and the epoch."""

import random

import numpy as np
import torch
from torch import Tensor

from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose, mix

INITIAL = -1  # the "epoch" in which initial weights are drawn


def reseed(seed: int, epoch: int) -> None:
    """Restart all random number generators for an epoch, on every device.

    Nothing is carried over from the epoch before, so there is nothing to save or restore.
    """
    torch.manual_seed(mix(seed, epoch, Purpose.LAYERS))
    np.random.seed(mix(seed, epoch, Purpose.NUMPY) % 2**32)
    random.seed(mix(seed, epoch, Purpose.PYTHON))


def epoch_order(examples: int, seed: int, epoch: int) -> Tensor:
    """Return the order (N,) in which an epoch visits the examples, the same on every device."""
    return torch.randperm(examples, generator=generator(seed, Purpose.ORDER, epoch))
