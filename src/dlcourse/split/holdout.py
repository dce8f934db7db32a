"""Hold-out: one validation part."""

import torch
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.multilabel_division import multilabel_order
from dlcourse.permutations import random_order, stratified_order, whole_groups
from dlcourse.random_streams import Purpose
from dlcourse.split.part import Part


def holdout(
    targets: Tensor,
    *,
    classes: bool,
    ready_val: int,
    groups: Tensor | None,
    fraction: float,
    seed: int,
) -> list[Part]:
    """Use a fraction of the examples, or the ready-made validation part, for validation.

    The fraction is the same in every class; where examples have several classes, as nearly as
    ``iterative_stratification`` finds it. With groups, whole groups of about that many examples
    are used, regardless of class.

    fraction: in [0, 1); 0 trains on all examples, without validation.

    Raises UserError if no example is left for training or for validation.
    """
    examples = len(targets)
    if ready_val:
        positions = torch.arange(examples)
        return [Part(".", positions[:-ready_val], positions[-ready_val:])]
    held = round(examples * fraction)
    if held >= examples or (fraction > 0 and held == 0):
        raise UserError(
            f"split.fraction={fraction} of {examples} examples leaves "
            f"{examples - held} to train on and {held} to validate on.\n"
            "Type a fraction that leaves some for both, or a larger data.examples"
        )
    if groups is not None and held:
        if len(groups.unique()) < 2:
            raise UserError(
                "All examples to train and validate on belong to one group.\n"
                "Type another data.group, or add rows of other groups"
            )
        val, train = whole_groups(groups, held, seed, Purpose.DIVISION)
        return [Part(".", train, val)]
    if classes and targets.dim() == 2:
        order = multilabel_order(targets, held, seed, Purpose.DIVISION)
    elif classes:
        order = stratified_order(targets, seed, Purpose.DIVISION)
    else:
        order = random_order(examples, seed, Purpose.DIVISION)
    return [Part(".", order[held:].sort().values, order[:held].sort().values)]
