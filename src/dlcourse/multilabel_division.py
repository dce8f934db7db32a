"""Division of examples that can have several classes, with the shares of every class kept."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose


def iterative_stratification(
    targets: Tensor, sizes: Sequence[int], seed: int, purpose: Purpose
) -> list[Tensor]:
    """Divide examples with several classes into parts, each with its share of every class.

    The class with the fewest examples left is divided first: each of its examples goes to the part
    that lacks most examples of the class, among equals to the one that lacks most examples at all,
    among these at random. Examples without a class come last.

    targets: (N, K), 1 for each class that an example has. sizes: those of the parts, N together.
    Returns the positions of each part, in random order.

    Reference: Sechidis, Tsoumakas, Vlahavas, "On the stratification of multi-label data", ECML PKDD
    2011.
    Departs from it: a part that is full takes no more examples, so that the sizes are exact.
    """
    draw = generator(seed, purpose)
    has = targets.cpu().numpy() > 0.5  # (N, K)
    room = np.array(sizes, dtype=np.float64)  # (parts,), examples that each part lacks
    lacking = np.outer(room / max(len(has), 1), has.sum(0))  # (parts, K)
    shuffled = torch.randperm(len(has), generator=draw).numpy()
    ties = torch.rand(len(has), len(sizes), generator=draw).numpy()  # decide among equal parts
    left, remaining = np.ones(len(has), dtype=bool), has.sum(0).astype(np.int64)
    part_of = np.empty(len(has), dtype=np.int64)

    def assign(example: int, wanted: np.ndarray) -> None:
        open_parts = np.where(room > 0.5, wanted, -np.inf)
        part = max(range(len(room)), key=lambda p: (open_parts[p], room[p], ties[example, p]))
        part_of[example], left[example] = part, False
        room[part] -= 1
        lacking[part] -= has[example]
        remaining[has[example]] -= 1

    while remaining.any():
        rarest = int(np.where(remaining > 0, remaining, np.iinfo(np.int64).max).argmin())
        for example in shuffled[left[shuffled] & has[shuffled, rarest]]:
            assign(example, lacking[:, rarest])
    for example in shuffled[left[shuffled]]:
        assign(example, room)
    order = torch.from_numpy(shuffled)
    return [order[torch.from_numpy(part_of[shuffled] == part)] for part in range(len(sizes))]


def multilabel_order(targets: Tensor, first: int, seed: int, purpose: Purpose) -> Tensor:
    """Return a permutation (N,) whose first ``first`` examples have their share of every class."""
    return torch.cat(
        iterative_stratification(targets, [first, len(targets) - first], seed, purpose)
    )
