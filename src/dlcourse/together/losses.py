"""The losses of several lanes at once."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from dlcourse.core import with_float64_targets
from dlcourse.loss.cross_entropy import cross_entropy


class Losses:
    """Computes the mean loss of each of K lanes; the cross-entropies of all lanes as one.

    losses: (outputs, targets) -> the mean, of each lane.
    """

    def __init__(self, losses: Sequence[Callable[[Tensor, Tensor], Tensor]]) -> None:
        self.losses = losses
        smoothing = [smoothing_of(loss) for loss in losses]
        known = [one for one in smoothing if one is not None]
        self.smoothing = known if len(known) == len(losses) else None

    def __call__(self, places: Sequence[int], outputs: Tensor, targets: Sequence[Tensor]) -> Tensor:
        """Return the losses (G,) of some lanes from their outputs (G, N, K) and targets."""
        if self.smoothing is not None and len({(y.shape, y.dtype) for y in targets}) == 1:
            chosen = [self.smoothing[place] for place in places]
            return cross_entropies(outputs, torch.stack(list(targets)), chosen)
        pairs = zip(places, outputs.unbind(), targets, strict=True)
        return torch.stack([self.losses[place](own, wanted) for place, own, wanted in pairs])


def smoothing_of(loss: Callable[[Tensor, Tensor], Tensor]) -> float | None:
    """Return the label smoothing of a cross-entropy; None for another loss."""
    if isinstance(loss, partial) and loss.func is with_float64_targets:
        return smoothing_of(loss.args[0])
    known = isinstance(loss, partial) and loss.func is cross_entropy and not loss.args
    return loss.keywords["label_smoothing"] if known else None


def cross_entropies(outputs: Tensor, targets: Tensor, smoothing: Sequence[float]) -> Tensor:
    """Return the cross-entropy (G,) of each of G batches, with a label smoothing of its own.

    outputs: (G, N, K) logits. targets: (G, N) classes, or (G, N, K) probabilities.
    """
    logs = outputs.log_softmax(-1)
    if targets.is_floating_point():
        losses = -(targets.to(logs.dtype) * logs).sum(-1)  # (G, N)
    else:
        losses = -logs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    if any(smoothing):
        share = torch.tensor(smoothing, dtype=logs.dtype, device=logs.device)
        losses = losses.lerp(-logs.mean(-1), share.unsqueeze(1))
    return losses.mean(1)
