"""Sums over an epoch, kept on the device and read back once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dlcourse.core import Metric


class Meter:
    """Adds up the loss and every metric's sums; reading them is the only wait for the device.

    keep: hold on to all outputs (N, K) and targets as well, for ``full``.
    """

    def __init__(self, metrics: Sequence[Metric], keep: bool = False) -> None:
        self.metrics = metrics
        self.keep = keep
        self.kept: list[tuple[Tensor, Tensor]] = []
        self.examples = 0
        self.sums: list[Tensor] = []

    def add(self, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Take in a batch: outputs (N, K), targets and the mean loss over the N."""
        examples = targets.shape[0]
        batch = [loss * examples]
        batch += [metric.measure(outputs, targets) for metric in self.metrics]
        if self.sums:
            for total, summand in zip(self.sums, batch, strict=True):
                total += summand
        else:
            self.sums = [_wide(summand) for summand in batch]
        self.examples += examples
        if self.keep:
            self.kept.append((outputs, targets))

    def read(self, split: str) -> dict[str, float]:
        """Return ``{"train/loss": ..., "train/accuracy": ...}`` for the split called ``train``."""
        flat = torch.cat([total.flatten().double() for total in self.sums]).cpu()
        pieces = flat.split([total.numel() for total in self.sums])
        self.sums = [
            piece.view(total.shape) for piece, total in zip(pieces, self.sums, strict=True)
        ]
        figures = {"loss": float(self.sums[0]) / self.examples}
        for metric, total in zip(self.metrics, self.sums[1:], strict=True):
            figures |= metric.report(total, self.examples)
        return {f"{split}/{name}": figure for name, figure in figures.items()}

    def everything(self) -> tuple[Tensor, Tensor]:
        """Return all outputs (N, K) and targets that were kept, on the CPU."""
        outputs, targets = zip(*self.kept, strict=True)
        return torch.cat(outputs).cpu(), torch.cat(targets).cpu()

    def full(self) -> dict[str, Any]:
        """Return what every metric has to say about all outputs that were kept."""
        outputs, targets = self.everything()
        told = [metric.full(outputs.float(), targets) for metric in self.metrics]
        return {name: figures for one in told for name, figures in one.items()}


def _wide(summand: Tensor) -> Tensor:
    """Return a total wide enough to add up many batches: counts stay int64, the rest float64."""
    return summand.to(torch.float64 if summand.is_floating_point() else torch.int64).clone()
