"""k-fold cross-validation that keeps groups whole."""

import torch
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.permutations import random_order
from dlcourse.random_streams import Purpose
from dlcourse.split.part import Part, rotate


def group_kfold(
    targets: Tensor, *, classes: bool, ready_val: int, groups: Tensor | None, folds: int, seed: int
) -> list[Part]:
    """Divide the examples into ``folds`` parts of about equal size, with every group in one part.

    This estimates the performance on unseen groups, such as new patients or speakers. The groups,
    in order of descending size, are assigned to the fold with the fewest examples so far; the seed
    determines the order of groups of equal size.

    Raises UserError without groups, and for fewer groups than folds.

    Reference: scikit-learn's ``GroupKFold`` (Pedregosa et al., JMLR 12, 2011); Roberts et al.,
    "Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
    structure", Ecography 40, 2017.
    """
    if groups is None:
        raise UserError(
            "split=group_kfold keeps groups whole, and these examples have no groups.\n"
            "Type data=csv data.group=<column>, or split=kfold"
        )
    numbers, own, counts = groups.cpu().unique(return_inverse=True, return_counts=True)
    if folds > len(numbers):
        raise UserError(
            f"split.folds={folds} is more than the {len(numbers)} groups there are.\n"
            f"Type split.folds={max(len(numbers), 2)} or less"
        )
    shuffled = random_order(len(numbers), seed, Purpose.DIVISION)
    largest_first = shuffled[counts[shuffled].argsort(descending=True, stable=True)]
    fold_of = torch.empty_like(numbers)
    sizes = [0] * folds
    for group in largest_first.tolist():
        lightest = sizes.index(min(sizes))
        fold_of[group] = lightest
        sizes[lightest] += int(counts[group])
    return rotate([(fold_of[own] == fold).nonzero().flatten() for fold in range(folds)])
