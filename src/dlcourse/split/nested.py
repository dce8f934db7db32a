"""One outer fold of nested cross-validation."""

from torch import Tensor

from dlcourse.random_streams import Purpose, mix
from dlcourse.split.division import divide_into_folds, refuse_groups, refuse_values
from dlcourse.split.part import Part, all_but, rotate


def nested(
    targets: Tensor,
    *,
    classes: bool,
    ready_val: int,
    groups: Tensor | None,
    outer: int,
    inner: int,
    fold: int,
    stratified: bool,
    seed: int,
) -> list[Part]:
    """Use one of ``outer`` folds for testing, and divide the rest into ``inner`` folds.

    The hyperparameters with the best mean over the inner folds are chosen; the outer fold, which
    played no part in the choice, estimates their performance. The mean over all outer folds, with
    one run per ``fold``, estimates the whole procedure. If the same folds chose and estimated, the
    estimate would be too optimistic. The data set's own test part is not used.

    fold: the outer fold, counted from 0; runs with the same seed have the same outer folds.
    stratified: whether every class is spread evenly over outer and inner folds.

    Raises UserError as ``kfold`` does, and with ``stratified`` as ``stratified_kfold`` does.

    Reference: Varma, Simon, "Bias in error estimation when using cross-validation for model
    selection", BMC Bioinformatics 7:91, 2006; Cawley, Talbot, "On over-fitting in model selection
    and subsequent selection bias in performance evaluation", JMLR 11, 2010.
    """
    refuse_groups(groups, "nested")
    if stratified:
        refuse_values(classes, "split.stratified=true", "split.stratified=false")
    outside = divide_into_folds(targets, outer, seed, stratified, key="split.outer")
    rest, test = all_but(outside, fold), outside[fold].sort().values
    own = mix(seed, fold, Purpose.INNER)
    inside = divide_into_folds(targets[rest], inner, own, stratified, key="split.inner")
    return [Part(part.name, rest[part.train], rest[part.val], test) for part in rotate(inside)]
