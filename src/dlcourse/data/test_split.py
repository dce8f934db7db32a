"""Split off a test part from data sets that come without one."""

from torch import Tensor

from dlcourse.core import Split
from dlcourse.permutations import random_order, stratified_order, whole_groups
from dlcourse.random_streams import Purpose

TEST_SEED = 0  # the test part is the same in every run


def test_order(targets: Tensor, *, classes: bool) -> Tensor:
    """Return a permutation (N,) of the positions, whose first n are a test part of n examples."""
    if classes:
        return stratified_order(targets, TEST_SEED, Purpose.TEST_PART)
    return random_order(len(targets), TEST_SEED, Purpose.TEST_PART)


def split_off_test(everything: Split, examples: int, *, classes: bool) -> tuple[Split, Split]:
    """Divide a data set into a training part and a test part, the same ones in every run.

    examples: the size of the test part. classes: whether the targets are classes; both parts then
    have the same share of each class.
    """
    order = test_order(everything.targets, classes=classes)
    return everything.subset(order[examples:]), everything.subset(order[:examples])


def split_off_test_groups(
    everything: Split, groups: Tensor, examples: int
) -> tuple[Split, Split, Tensor]:
    """Divide a data set by whole groups; return training part, test part and training groups.

    examples: the size of the test part, as nearly as whole groups allow.
    groups: (N,) int64, at least two different numbers.
    """
    held, kept = whole_groups(groups, examples, TEST_SEED, Purpose.TEST_PART)
    return everything.subset(kept), everything.subset(held), groups[kept]
