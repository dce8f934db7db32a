"""A test part for sets that come without one."""

from dlcourse.core import Split
from dlcourse.order import random_order, stratified_order

TEST_SEED = 0  # the test part is the same in every run


def hold_back(everything: Split, examples: int, *, classes: bool) -> tuple[Split, Split]:
    """Return the training part and a test part of so many examples, the same in every run.

    classes: whether the targets are classes, whose shares then are the same in both parts.
    """
    if classes:
        order = stratified_order(everything.targets, TEST_SEED)
    else:
        order = random_order(len(everything), TEST_SEED)
    return everything.subset(order[examples:]), everything.subset(order[:examples])
