"""Weights of the examples in the training loss, carried as the last column of the targets.

So they pass through everything that divides a batch: pieces of ``accumulate``, devices, and runs
that are trained together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.core.training import Metric

MeanLoss = Callable[[Tensor, Tensor], Tensor]


def each_loss_of(loss: MeanLoss, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of each example (N,), from a loss that returns the mean of a batch."""

    def of_one(output: Tensor, target: Tensor) -> Tensor:
        return loss(output.unsqueeze(0), target.unsqueeze(0))

    return torch.vmap(of_one)(outputs, targets)


def each_loss_in_turn(loss: MeanLoss, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return what ``each_loss_of`` does, one example after another: for any loss, and slow."""
    batches = zip(outputs.split(1), targets.split(1), strict=True)
    return torch.stack([loss(output, target) for output, target in batches])


@dataclass(frozen=True)
class AppendWeights:
    """Appends the weight of each example to its target, as the last augmentation.

    examples: (N,), of the training data; None for 1 each. classes: (K,), of which an example has
    that of its class, or of mixed classes their weighted mean; None for 1 each.
    """

    examples: Tensor | None
    classes: Tensor | None

    def __call__(
        self, inputs: Tensor, targets: Tensor, index: Tensor, epoch: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the inputs (N, ...) and the targets with a column more, (N, 2) or (N, K + 1)."""
        columns = targets if targets.dim() == 2 else targets.unsqueeze(1)
        columns = columns if columns.is_floating_point() else columns.float()
        weights = columns.new_ones(len(columns))
        if self.examples is not None:
            weights = weights * self.examples[index]
        if self.classes is not None:
            own = self.classes[targets] if targets.dim() == 1 else targets @ self.classes
            weights = weights * own
        return inputs, torch.cat([columns, weights.unsqueeze(1)], 1)


def without_weights(targets: Tensor, classes: bool) -> tuple[Tensor, Tensor]:
    """Return what ``AppendWeights`` has joined: the targets and the weights (N,).

    classes: whether a single column holds classes, which are then int64.
    """
    own, weights = targets[:, :-1], targets[:, -1]
    return (own[:, 0].long() if classes and own.shape[1] == 1 else own), weights


@dataclass(frozen=True)
class WeightedLoss:
    """The mean over a batch of each example's weight times its loss.

    The mean of w l over the examples is the sum of the means over parts of the batch, each times
    its share of the examples: so the result is the same for a batch in pieces or on several
    devices. ``torch.nn.CrossEntropyLoss(weight=...)`` divides by the sum of the weights instead.

    loss: (outputs, targets) -> the mean, of any number of examples. classes: as in
    ``without_weights``. each: (loss, outputs, targets) -> the loss of each example.
    """

    loss: MeanLoss
    classes: bool
    each: Callable[[MeanLoss, Tensor, Tensor], Tensor] = each_loss_of

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean; targets (N, 2) or (N, K + 1) have the weights in the last column."""
        own, weights = without_weights(targets, self.classes)
        return (weights * self.each(self.loss, outputs, own)).mean()


def unweighted(loss: MeanLoss) -> MeanLoss:
    """Return the loss of targets without weights; a loss without weights is returned itself."""
    return loss.loss if isinstance(loss, WeightedLoss) else loss


class WithoutWeights(Metric):
    """A metric of targets whose last column is a weight, which it does not count."""

    def __init__(self, metric: Metric, classes: bool) -> None:
        self.metric, self.classes = metric, classes

    def measure(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the metric's sums over the batch."""
        return self.metric.measure(outputs, without_weights(targets, self.classes)[0])

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return the metric's values."""
        return self.metric.report(sums, examples)
