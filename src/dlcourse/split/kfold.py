"""k-fold cross-validation."""

from torch import Tensor

from dlcourse.error import UserError
from dlcourse.order import random_order
from dlcourse.split.part import Part, rotate


def kfold(targets: Tensor, *, classes: bool, ready_val: int, folds: int, seed: int) -> list[Part]:
    """Divide the examples into ``folds`` random parts, each of which validates once.

    Part sizes differ by one at most. A ready-made validation part is divided like the rest.

    Raises UserError for more folds than examples.

    Reference: Stone, "Cross-validatory choice and assessment of statistical predictions", J. R.
    Stat. Soc. B 36, 1974.
    """
    if folds > len(targets):
        raise UserError(
            f"split.folds={folds} is more than the {len(targets)} examples there are.\n"
            f"Type split.folds={len(targets)} or less"
        )
    return rotate(random_order(len(targets), seed).tensor_split(folds))
