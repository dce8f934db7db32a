"""Nested cross-validation: one outer fold of it."""

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
    """Hold one of ``outer`` folds back to test on, and divide the rest into ``inner`` folds.

    The inner folds choose: the hyperparameters with the best mean over them. The outer fold, which
    the choice has not seen, estimates how good what was chosen is; the mean over all outer folds,
    a run for each ``fold``, is that of the whole way of choosing. Chosen and told by the same
    folds, the figure would be too good. The data set's own test part is not touched.

    fold: which outer fold, counted from 0; all runs with one seed have the same outer folds.
    stratified: every class is spread evenly over the outer and over the inner folds.

    Raises UserError as ``kfold`` does, and as ``stratified_kfold`` does where it is stratified.

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
