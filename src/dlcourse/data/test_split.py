"""A test part for sets that come without one."""

from torch import Tensor

from dlcourse.core import Split
from dlcourse.permutations import random_order, stratified_order, whole_groups
from dlcourse.random_streams import Purpose

TEST_SEED = 0  # the test part is the same in every run


def split_off_test(everything: Split, examples: int, *, classes: bool) -> tuple[Split, Split]:
    """Return the training part and a test part of the given size, the same in every run.

    classes: whether the targets are classes, whose shares then are the same in both parts.
    """
    if classes:
        order = stratified_order(everything.targets, TEST_SEED, Purpose.TEST_PART)
    else:
        order = random_order(len(everything), TEST_SEED, Purpose.TEST_PART)
    return everything.subset(order[examples:]), everything.subset(order[:examples])


def split_off_test_groups(
    everything: Split, groups: Tensor, examples: int
) -> tuple[Split, Split, Tensor]:
    """Return the training part, a test part of whole groups, and the training part's groups.

    examples: how many the test part has, as nearly as whole groups allow.
    groups: (N,) int64, at least two different numbers.
    """
    held, kept = whole_groups(groups, examples, TEST_SEED, Purpose.TEST_PART)
    return everything.subset(kept), everything.subset(held), groups[kept]
