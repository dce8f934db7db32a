"""k-fold cross-validation, class by class."""

import torch
from torch import Tensor

from dlcourse.error import UserError
from dlcourse.order import random_order
from dlcourse.split.part import Part, rotate


def stratified_kfold(
    targets: Tensor, *, classes: bool, ready_val: int, folds: int, seed: int
) -> list[Part]:
    """Divide the examples into ``folds`` parts that hold every class in equal numbers.

    The examples are shuffled, put in order of class and dealt out like cards: the parts' sizes, and
    the counts of each class in them, differ by one at most.

    Raises UserError for a regression, and where a class has fewer examples than there are folds.

    Reference: Kohavi, "A study of cross-validation and bootstrap for accuracy estimation and model
    selection", IJCAI 1995.
    """
    if not classes:
        raise UserError(
            "split=stratified_kfold spreads classes evenly, and a regression has none.\n"
            "Type split=kfold"
        )
    counts = torch.bincount(targets)
    fewest = int(counts[counts > 0].min())
    if folds > fewest:
        raise UserError(
            f"split.folds={folds} is more than the {fewest} examples of the smallest class.\n"
            f"Type split.folds={max(fewest, 2)} or less, or split=kfold"
        )
    shuffled = random_order(len(targets), seed)
    dealt = shuffled[torch.argsort(targets[shuffled], stable=True)]
    return rotate([dealt[fold::folds] for fold in range(folds)])
