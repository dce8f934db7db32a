"""Training examples, unchanged and augmented as in training."""

from collections.abc import Iterator

import torch
from torch import Tensor

from dlcourse.core import Dataset
from dlcourse.data.transforms import standardize
from dlcourse.engine.assemble import with_keywords
from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.permutations import random_order, stratified_order
from dlcourse.random_streams import Purpose
from dlcourse.train.rng import reseed

LARGEST_BATCH = 512  # batch_size=full would be slow and is augmented in the same way


def augmented_batches(
    config: dict, dataset: Dataset, examples: int, draws: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of some examples: unchanged, then augmented once for each draw.

    A batch is inputs, (N, C, H, W) or (N, D), and targets. Raises UserError if there are fewer than
    ``examples``.
    """
    train = dataset.train
    if examples > len(train):
        raise UserError(
            f"examples={examples} is more than the {len(train)} training examples there are.\n"
            f"Type examples={len(train)} or less"
        )
    order = (
        stratified_order(train.targets, config["seed"], Purpose.SHOWN)
        if dataset.classes and not train.targets.is_floating_point()
        else random_order(len(train), config["seed"], Purpose.SHOWN)
    )
    size = (
        LARGEST_BATCH
        if config["batch_size"] == "full"
        else min(config["batch_size"], LARGEST_BATCH)
    )
    index = order[: max(size, examples)]
    ((inputs, targets),) = train.batches([index])
    yield inputs[:examples], targets[:examples]
    how = config["data"]["standardize"]
    mean = standardize(train, how, encoding=dataset.encoding).mean if config["augment"] else None
    augmentations = [
        with_keywords(build(node), dataset, config["seed"], mean)
        for node in config["augment"].values()
    ]
    reseed(config["seed"], 0)
    with torch.no_grad():
        for epoch in range(draws):
            changed = inputs, targets
            for augment in augmentations:
                changed = augment(*changed, index, torch.tensor(epoch))
            yield changed[0][:examples], changed[1][:examples]
