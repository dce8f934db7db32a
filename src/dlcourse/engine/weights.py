"""Choose the weights of the training loss: of examples, of classes, and of positive answers."""

import logging
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from dlcourse.core import Dataset, Fold, Recipe, Split
from dlcourse.core.weighted import (
    AppendWeights,
    MeanLoss,
    WeightedLoss,
    WithoutWeights,
    each_loss_in_turn,
    each_loss_of,
)
from dlcourse.errors import UserError
from dlcourse.schema.facts import fact, name_of

WEIGHTED_SAMPLER = "dlcourse.sampler.weighted.weighted"
BALANCED = "balanced"

log = logging.getLogger(__name__)


def with_positive_weights(loss: partial, config: dict, dataset: Dataset, train: Split) -> Any:
    """Return a loss of several classes per example with ``loss.class_weight`` as ``pos_weight``.

    ``balanced`` is the number of training examples without a class divided by that of those with
    it. Any other loss is returned unchanged.

    Raises UserError for a loss without such an argument.
    """
    given = config["loss"].get("class_weight")
    if dataset.task != "multilabel" or given is None:
        return loss
    if "pos_weight" not in signature(loss.func).parameters:
        raise UserError(
            f"loss={name_of(config['loss']['_target_'])} has no argument pos_weight, which "
            "loss.class_weight sets where an example can have several classes.\n"
            "Type loss=bce, or loss.class_weight=null"
        )
    positive = train.targets.sum(0)
    ratio = (len(train) - positive) / positive.clamp(min=1)
    weights = ratio if given == BALANCED else listed_weights(given, dataset, train.device)
    return partial(loss, pos_weight=weights.float())


def class_weights(config: dict, dataset: Dataset, train: Split) -> Tensor | None:
    """Return the weight of each class (K,) in the training loss, or None for equal weights.

    ``balanced`` is N / (K n_k) for a class with n_k of the N training examples, as scikit-learn's
    ``compute_class_weight``: every class then has the same total weight, and the mean weight of an
    example is 1.
    """
    given = config["loss"].get("class_weight")
    if given is None or dataset.task != "classification":
        return None
    if given != BALANCED:
        return listed_weights(given, dataset, train.device)
    counts = torch.bincount(train.targets, minlength=len(dataset.classes))
    return len(train) / (len(counts) * counts.clamp(min=1).float())


def listed_weights(given: list[float], dataset: Dataset, device: torch.device) -> Tensor:
    """Return the weights of a list (K,); raises UserError unless each class has one."""
    if len(given) != len(dataset.classes):
        raise UserError(
            f"loss.class_weight has {len(given)} weights, and the data have "
            f"{len(dataset.classes)} classes: {', '.join(dataset.classes[:10])}.\n"
            "Type one weight for each, or loss.class_weight=balanced"
        )
    return torch.tensor(given, dtype=torch.float32, device=device)


def weighted_recipe(recipe: Recipe, config: dict, dataset: Dataset, fold: Fold) -> Recipe:
    """Return a recipe whose training loss has the weights of the config and of the data.

    Without any, the recipe is returned unchanged. The weights of the data are not used if
    ``sampler=weighted`` draws by them.

    Raises UserError for what cannot be weighted.
    """
    train, drawn = fold.train, config["sampler"]["_target_"] == WEIGHTED_SAMPLER
    refuse_sampler_without_weights(train, drawn)
    of_examples = None if train.weights is None or drawn else train.weights.to(train.device)
    of_classes = class_weights(config, dataset, train)
    if of_examples is None and of_classes is None:
        return recipe
    refuse_unweightable(config, of_examples)
    classes = dataset.task == "classification"
    return replace(
        recipe,
        augment=[*recipe.augment, AppendWeights(of_examples, of_classes)],
        loss=WeightedLoss(recipe.loss, classes, way_of_each(recipe.loss, dataset, train)),
        training_metrics=[WithoutWeights(metric, classes) for metric in recipe.training_metrics],
    )


def way_of_each(loss: MeanLoss, dataset: Dataset, train: Split) -> Any:
    """Return the function that computes the loss of each example: vectorised where possible.

    A loss of the user's own that reads a value back, or branches on one, cannot be vectorised; its
    examples are computed one after another, with a warning.
    """
    targets = train.targets[:2]
    outputs = torch.zeros(len(targets), dataset.output_size, device=train.device)
    try:
        each_loss_of(loss, outputs, targets)
    except Exception as error:  # whatever a loss raises
        log.warning(
            "The loss cannot be computed for several examples at once (%s), as weights need it; "
            "they are computed one after another, which is slow", str(error).split("\n")[0][:200],
        )  # fmt: skip
        return each_loss_in_turn
    return each_loss_of


def refuse_sampler_without_weights(train: Split, drawn: bool) -> None:
    """Raise UserError if examples are to be drawn by weights that the data do not have."""
    if drawn and train.weights is None:
        raise UserError(
            "sampler=weighted draws examples by their weights, and these data have none.\n"
            "Type sampler=balanced, or data=csv data.weight=<column>"
        )


def refuse_unweightable(config: dict, of_examples: Tensor | None) -> None:
    """Raise UserError for a step that does not use the loss, and for mixed examples with weights.

    of_examples: the weights of the data; None without any.
    """
    if config["optim"]["_target_"] == "dlcourse.optim.closed_form.ClosedForm":
        raise UserError(
            "optim=closed_form minimises squared errors without weights of examples.\n"
            "Type another optim, or leave out the weights"
        )
    mixing = [name for name, node in config["augment"].items() if fact(node, "mixes_targets")]
    if mixing and of_examples is not None:
        raise UserError(
            f"augment={mixing[0]} mixes examples, each of which has a weight of its own in these "
            "data.\nType 'augment=[]', or sampler=weighted, which draws examples by their weights"
        )
