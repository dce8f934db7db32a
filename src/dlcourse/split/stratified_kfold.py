"""Stratified k-fold cross-validation."""

from torch import Tensor

from dlcourse.split.division import refuse_groups, refuse_values, stratified_folds
from dlcourse.split.part import Part, rotate


def stratified_kfold(
    targets: Tensor, *, classes: bool, ready_val: int, groups: Tensor | None, folds: int, seed: int
) -> list[Part]:
    """Divide the examples into ``folds`` parts with every class spread evenly.

    The sizes of the parts, and the counts of each class in them, differ by one at most.

    Raises UserError for a regression, for groups, and if a class has fewer examples than there are
    folds.

    Reference: Kohavi, "A study of cross-validation and bootstrap for accuracy estimation and model
    selection", IJCAI 1995.
    """
    refuse_values(classes, "split=stratified_kfold", "split=kfold")
    refuse_groups(groups, "stratified_kfold")
    return rotate(stratified_folds(targets, folds, seed))
