"""Warn once if the classes are far from equally frequent and nothing takes it into account."""

import logging

import torch

from dlcourse.core import Dataset, Fold

LARGE_RATIO = 10  # of the largest to the smallest class; CIFAR and MNIST are below 1.3
BALANCED_VALUES = {
    "balanced_accuracy", "f1", "recall", "precision", "kappa", "matthews", "auroc",
    "average_precision", "f1_macro",
}  # fmt: skip
"""Monitored values in which a rare class counts as much as a frequent one."""
SHUFFLE = "dlcourse.sampler.shuffle.shuffle"

log = logging.getLogger(__name__)


def warn_of_imbalance(config: dict, dataset: Dataset, fold: Fold) -> None:
    """Log a warning about a class with more than ten times the examples of another.

    Not with weights, another sampler or a monitor in which every class counts alike.
    """
    weighted = config["loss"].get("class_weight") is not None or fold.train.weights is not None
    sampled = config["sampler"]["_target_"] != SHUFFLE
    monitored = config["monitor"].rpartition("/")[2] in BALANCED_VALUES
    if dataset.task != "classification" or weighted or sampled or monitored:
        return
    counts = torch.bincount(fold.train.targets.cpu(), minlength=len(dataset.classes))
    most = counts.max()
    counts = torch.where(counts > 0, counts, len(fold.train))  # a class may be in another fold
    least = int(counts.argmin())
    if int(most) > LARGE_RATIO * int(counts[least]):
        log.warning(
            "%d training examples of one class and %d of %s: always predicting the former would be "
            "right for %.1f %%. Consider loss.class_weight=balanced or sampler=balanced, and "
            "'metric=[accuracy,balanced_accuracy,confusion]' monitor=val/balanced_accuracy",
            most, counts[least], dataset.classes[least], 100 * int(most) / len(fold.train),
        )  # fmt: skip
