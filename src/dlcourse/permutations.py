"""Random orders of examples, drawn from a seed and a purpose alone."""

import torch
from torch import Tensor

from dlcourse.random_streams import Purpose, mix


def generator(seed: int, purpose: Purpose, number: int = 0) -> torch.Generator:
    """Return a generator on the CPU that draws for one purpose."""
    return torch.Generator().manual_seed(mix(seed, number, purpose))


def random_order(examples: int, seed: int, purpose: Purpose) -> Tensor:
    """Return a permutation (N,) of the positions, the same on every device."""
    return torch.randperm(examples, generator=generator(seed, purpose))


def stratified_order(classes: Tensor, seed: int, purpose: Purpose) -> Tensor:
    """Return a permutation (N,) that mixes the classes evenly over its whole length.

    Among the first m examples, the number of class c is m n_c / N, rounded down or up, give or take
    one: example r of the n_c of its class (shuffled) is placed at (r + 1/2) / n_c.
    classes: (N,) int64.
    """
    shuffled = random_order(len(classes), seed, purpose)
    by_class = shuffled[torch.argsort(classes.cpu()[shuffled], stable=True)]
    counts = torch.bincount(classes.cpu())
    starts = counts.cumsum(0) - counts
    own_class = classes.cpu()[by_class]
    rank = torch.arange(len(classes)) - starts[own_class]
    place = (rank.double() + 0.5) / counts[own_class]
    return by_class[torch.argsort(place, stable=True)]


def whole_groups(
    groups: Tensor, examples: int, seed: int, purpose: Purpose
) -> tuple[Tensor, Tensor]:
    """Return the positions of whole groups with about ``examples`` examples, and of all others.

    Groups are chosen in random order while their total comes nearer to ``examples``: at least one,
    and at most all but one. Both tensors are in ascending order.
    groups: (N,) int64, at least two different numbers.
    """
    numbers, own, counts = groups.cpu().unique(return_inverse=True, return_counts=True)
    order = random_order(len(numbers), seed, purpose)
    taken = counts[order].cumsum(0)[:-1]
    chosen = order[: int((taken - examples).abs().argmin()) + 1]
    held = torch.isin(own, chosen)
    return held.nonzero().flatten(), (~held).nonzero().flatten()
