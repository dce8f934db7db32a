"""Split off a test part from data sets that come without one."""

from torch import Tensor

from dlcourse.core import Split
from dlcourse.multilabel_division import multilabel_order
from dlcourse.permutations import random_order, stratified_order, whole_groups
from dlcourse.random_streams import Purpose, seed_of_version, version_of

TEST_SEED = 0  # the test part is the same in every run


def seed_of_test(seed: int) -> int:
    """Return ``TEST_SEED`` for the version of the random streams that a data set's seed starts."""
    return seed_of_version(TEST_SEED, version_of(seed))


def test_order(targets: Tensor, held: int, seed: int, *, classes: bool) -> Tensor:
    """Return a permutation (N,) of the positions, whose first ``held`` are the test part.

    seed: of the data set; the order is the same for all seeds of a version.
    """
    if classes and targets.dim() == 2:
        return multilabel_order(targets, held, seed_of_test(seed), Purpose.TEST_PART)
    if classes:
        return stratified_order(targets, seed_of_test(seed), Purpose.TEST_PART)
    return random_order(len(targets), seed_of_test(seed), Purpose.TEST_PART)


def split_off_test(
    everything: Split, examples: int, seed: int, *, classes: bool
) -> tuple[Split, Split]:
    """Divide a data set into a training part and a test part, the same ones in every run.

    examples: the size of the test part. seed: as for ``test_order``. classes: whether the targets
    are classes; both parts then have the same share of each class.
    """
    order = test_order(everything.targets, examples, seed, classes=classes)
    return everything.subset(order[examples:]), everything.subset(order[:examples])


def split_off_test_groups(
    everything: Split, groups: Tensor, examples: int, seed: int
) -> tuple[Split, Split, Tensor]:
    """Divide a data set by whole groups; return training part, test part and training groups.

    examples: the size of the test part, as nearly as whole groups allow. seed: as for
        ``test_order``.
    groups: (N,) int64, at least two different numbers.
    """
    held, kept = whole_groups(groups, examples, seed_of_test(seed), Purpose.TEST_PART)
    return everything.subset(kept), everything.subset(held), groups[kept]
