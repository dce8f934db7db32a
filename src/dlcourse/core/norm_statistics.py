"""Measure the statistics of batch norm for weights that were not trained with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from dlcourse.core.data import Fold
from dlcourse.core.training import Recipe

_BatchNorm = nn.modules.batchnorm._BatchNorm


@torch.no_grad()
def measure_norm_statistics(model: nn.Module, fold: Fold, recipe: Recipe) -> None:
    """Set the running means and variances of batch norms to their means over the training data.

    The batches are those of ``recipe.batch_size``, in the order of the data and without
    augmentation; dropout is off. So no random number is drawn, and the result depends on the
    weights alone. Without a batch norm nothing is done.

    Reference: Izmailov et al., "Averaging weights leads to wider optima and better generalization",
    UAI 2018, section 3; as in ``torch.optim.swa_utils.update_bn``.
    Departs from it: dropout is off.
    """
    norms = (layer for layer in model.modules() if isinstance(layer, _BatchNorm))
    layers = [layer for layer in norms if layer.track_running_stats]
    if not layers:
        return
    train, size = fold.train, recipe.batch_size
    positions = torch.arange(len(train), device=train.device).split(size)
    if len(positions) > 1 and len(positions[-1]) == 1:  # a batch of one has no variance
        positions = positions[:-1]
    with measured(model, layers):
        for inputs, _ in train.batches(positions):
            with recipe.autocast():
                model(recipe.prepare(fold.standardize(inputs)))


@contextmanager
def measured(model: nn.Module, layers: list[_BatchNorm]) -> Iterator[None]:
    """Let only these layers be in training, with running statistics that are plain means."""
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        model.eval()
