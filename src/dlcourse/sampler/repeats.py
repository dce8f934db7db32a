"""Draw examples with as few repeats as possible."""

import torch
from torch import Tensor


def evenly_repeated(positions: Tensor, draws: int, draw: torch.Generator) -> Tensor:
    """Return ``draws`` of some positions (n,), each of them equally often up to one.

    All are taken ``draws // n`` times, and a random choice of them once more.
    """
    whole, rest = divmod(draws, len(positions))
    more = positions[torch.randperm(len(positions), generator=draw)[:rest]]
    return torch.cat([positions.repeat(whole), more])


def by_weight(weights: Tensor, draws: int, draw: torch.Generator) -> Tensor:
    """Return ``draws`` positions, example i about ``draws * w_i / sum(w)`` times.

    Systematic sampling: the number of draws of an example is this value, rounded down or up, and
    its mean is exactly this value.

    weights: (N,), not negative, with a sum above 0.

    Reference: Madow, "On the theory of systematic sampling, II", Annals of Mathematical Statistics
    20(3), 1949.
    """
    order = torch.randperm(len(weights), generator=draw)
    ends = weights[order].double().cumsum(0) * (draws / float(weights.double().sum()))
    points = torch.arange(draws, dtype=torch.float64) + torch.rand(
        (), dtype=torch.float64, generator=draw
    )
    return order[torch.searchsorted(ends, points, right=True).clamp(max=len(order) - 1)]


def shuffled(positions: Tensor, draw: torch.Generator) -> Tensor:
    """Return positions in random order."""
    return positions[torch.randperm(len(positions), generator=draw)]
