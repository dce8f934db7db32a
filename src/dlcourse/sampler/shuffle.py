"""Every example once, in random order."""

import torch
from torch import Tensor

from dlcourse.core import Split
from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose


def shuffle(train: Split, *, seed: int, epoch: int) -> Tensor:
    """Return a permutation (N,) of all examples."""
    return torch.randperm(len(train), generator=generator(seed, Purpose.ORDER, epoch))
