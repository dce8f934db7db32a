"""Random and stratified folds, and checks before a split."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.multilabel_division import iterative_stratification
from dlcourse.permutations import random_order
from dlcourse.random_streams import Purpose


def divide_into_folds(
    targets: Tensor, folds: int, seed: int, stratified: bool, *, key: str = "split.folds"
) -> Sequence[Tensor]:
    """Return ``folds`` parts of the positions, stratified by class or random."""
    if stratified:
        return stratified_folds(targets, folds, seed, key=key)
    return random_folds(len(targets), folds, seed, key=key)


def random_folds(
    examples: int, folds: int, seed: int, *, key: str = "split.folds"
) -> Sequence[Tensor]:
    """Return ``folds`` random parts of the positions; their sizes differ by one at most.

    key: the config key of the number of folds, for the message.

    Raises UserError for more folds than examples.
    """
    if folds > examples:
        raise UserError(
            f"{key}={folds} is more than the {examples} examples there are.\n"
            f"Type {key}={examples} or less"
        )
    return random_order(examples, seed, Purpose.DIVISION).tensor_split(folds)


def stratified_folds(
    targets: Tensor, folds: int, seed: int, *, key: str = "split.folds"
) -> list[Tensor]:
    """Return ``folds`` random parts of the positions with every class spread evenly.

    The examples are shuffled, sorted by class and assigned to the folds in turn: the sizes of the
    parts, and the counts of each class in them, differ by one at most.

    Examples with several classes are divided by ``iterative_stratification``.

    targets: (N,) classes, or (N, K) of 0 and 1. key: the config key of the number of folds, for the
    message.

    Raises UserError if a class has fewer examples than there are folds, and for more folds than
    examples.
    """
    if targets.dim() == 2:
        sizes = [len(part) for part in random_folds(len(targets), folds, seed, key=key)]
        return iterative_stratification(targets, sizes, seed, Purpose.DIVISION)
    counts = torch.bincount(targets)
    fewest = int(counts[counts > 0].min())
    if folds > fewest:
        raise UserError(
            f"{key}={folds} is more than the {fewest} examples of the smallest class.\n"
            f"Type {key}={max(fewest, 2)} or less, or a split that is not stratified"
        )
    shuffled = random_order(len(targets), seed, Purpose.DIVISION)
    by_class = shuffled[torch.argsort(targets[shuffled], stable=True)]
    return [by_class[fold::folds] for fold in range(folds)]


def refuse_groups(groups: Tensor | None, split: str) -> None:
    """Raise UserError if there are groups, which a split by single examples would divide."""
    if groups is not None:
        raise UserError(
            f"split={split} divides single examples, which can put a group on both sides.\n"
            "Type split=group_kfold or split=holdout"
        )


def refuse_values(classes: bool, override: str, instead: str) -> None:
    """Raise UserError for a stratified split of a regression; instead: the override to type."""
    if not classes:
        raise UserError(
            f"{override} spreads classes evenly, and a regression has none.\nType {instead}"
        )
