"""Random orders of examples, drawn from a seed alone."""

import torch
from torch import Tensor


def random_order(examples: int, seed: int) -> Tensor:
    """Return a permutation (N,) of the positions, the same on every device."""
    return torch.randperm(examples, generator=torch.Generator().manual_seed(seed))


def stratified_order(classes: Tensor, seed: int) -> Tensor:
    """Return a permutation (N,) in which every stretch has nearly the classes' shares.

    The first m examples hold each class c between floor and ceil of m n_c / N, give or take one:
    example r of the n_c of its class (shuffled) is placed at (r + 1/2) / n_c.
    classes: (N,) int64.
    """
    shuffled = random_order(len(classes), seed)
    by_class = shuffled[torch.argsort(classes.cpu()[shuffled], stable=True)]
    counts = torch.bincount(classes.cpu())
    starts = counts.cumsum(0) - counts
    own_class = classes.cpu()[by_class]
    rank = torch.arange(len(classes)) - starts[own_class]
    place = (rank.double() + 0.5) / counts[own_class]
    return by_class[torch.argsort(place, stable=True)]
