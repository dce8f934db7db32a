"""What a split is made of."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Part(NamedTuple):
    """Positions of the examples to train on and to validate on, and the folder's name."""

    name: str
    train: Tensor  # (n_train,)
    val: Tensor  # (n_val,)


def rotate(parts: Sequence[Tensor]) -> list[Part]:
    """Let each of the parts validate once and the others train, each in ascending order."""
    return [
        Part(
            f"fold{fold}",
            torch.cat([part for other, part in enumerate(parts) if other != fold]).sort().values,
            val.sort().values,
        )
        for fold, val in enumerate(parts)
    ]
