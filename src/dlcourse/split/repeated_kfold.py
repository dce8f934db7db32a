"""Repeated k-fold cross-validation."""

from torch import Tensor

from dlcourse.random_streams import Purpose, mix
from dlcourse.split.division import divide_into_folds, refuse_groups, refuse_values
from dlcourse.split.part import Part, rotate


def repeated_kfold(
    targets: Tensor,
    *,
    classes: bool,
    ready_val: int,
    groups: Tensor | None,
    folds: int,
    repeats: int,
    stratified: bool,
    seed: int,
) -> list[Part]:
    """Divide the examples into ``folds`` parts ``repeats`` times, with independent permutations.

    The name of fold f of repeat r, both counted from 0, is fold<r * folds + f>. The first repeat is
    that of ``kfold`` or ``stratified_kfold`` with the same seed; later repeats of different seeds
    are independent.

    stratified: whether every class is spread evenly over the folds of each repeat.

    Raises UserError as ``kfold`` does, and with ``stratified`` as ``stratified_kfold`` does.

    Reference: Burman, "A comparative study of ordinary cross-validation, v-fold cross-validation
    and the repeated learning-testing methods", Biometrika 76(3), 1989.
    """
    refuse_groups(groups, "repeated_kfold")
    if stratified:
        refuse_values(classes, "split.stratified=true", "split.stratified=false")
    parts = []
    for repeat in range(repeats):
        own = mix(seed, repeat, Purpose.REPEAT) if repeat else seed
        parts += rotate(divide_into_folds(targets, folds, own, stratified))
    return [part._replace(name=f"fold{number}") for number, part in enumerate(parts)]
