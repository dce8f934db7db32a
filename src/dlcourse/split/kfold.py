"""k-fold cross-validation."""

from torch import Tensor

from dlcourse.split.division import random_folds, refuse_groups
from dlcourse.split.part import Part, rotate


def kfold(
    targets: Tensor, *, classes: bool, ready_val: int, groups: Tensor | None, folds: int, seed: int
) -> list[Part]:
    """Divide the examples into ``folds`` random parts; each is the validation part once.

    Sizes differ by one at most. A ready-made validation part is divided like the other examples.

    Raises UserError for more folds than examples, and for groups.

    Reference: Stone, "Cross-validatory choice and assessment of statistical predictions", J. R.
    Stat. Soc. B 36, 1974.
    """
    refuse_groups(groups, "kfold")
    return rotate(random_folds(len(targets), folds, seed))
