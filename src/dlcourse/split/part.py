"""The parts that a split returns."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Part(NamedTuple):
    """Positions of the examples for training and validation, and the name of the fold's folder.

    test: those for testing; None for the data set's own test part.
    """

    name: str
    train: Tensor  # (n_train,)
    val: Tensor  # (n_val,)
    test: Tensor | None = None  # (n_test,)


def rotate(parts: Sequence[Tensor]) -> list[Part]:
    """Return one fold for each part: it is the validation part, and all others are for training.

    Positions are in ascending order.
    """
    return [
        Part(f"fold{fold}", all_but(parts, fold), val.sort().values)
        for fold, val in enumerate(parts)
    ]


def all_but(parts: Sequence[Tensor], left_out: int) -> Tensor:
    """Return the positions in all parts but one, in ascending order."""
    return torch.cat([p for number, p in enumerate(parts) if number != left_out]).sort().values


def tested_alike(parts: Sequence[Part]) -> bool:
    """Return whether all parts test on the same examples, in the same order."""
    first = parts[0].test
    if first is None:
        return all(part.test is None for part in parts)
    return all(part.test is not None and torch.equal(part.test, first) for part in parts)
