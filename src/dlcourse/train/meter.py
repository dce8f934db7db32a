"""Sums over an epoch, kept on the device and read back once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.core import Metric, at_least_float32, has_float64
from dlcourse.guard import guarded

TOGETHER = 2**17  # outputs on the CPU are measured so many numbers at a time: a call costs 5 us


class Meter:
    """Adds up the loss and every metric's sums; reading them is the only wait for the device.

    keep: hold on to all outputs (N, K) and targets as well, for ``full``.
    """

    def __init__(self, metrics: Sequence[Metric], keep: bool = False) -> None:
        self.metrics = metrics
        self.keep = keep
        self.kept: list[tuple[Tensor, Tensor]] = []
        self.waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self.numbers = 0  # in the outputs that wait
        self.sums: list[Tensor] = []

    def add(self, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Take in a batch: outputs (N, K), targets and the mean loss over the N."""
        if self.keep:
            self.kept.append((outputs, targets))
        self.waiting.append((outputs, targets, loss))
        self.numbers += outputs.numel()
        if self.numbers >= TOGETHER or outputs.is_cuda:  # a graph takes in each batch as it comes
            self.measure()

    def measure(self) -> None:
        """Add the batches that wait to the sums."""
        if not self.waiting:
            return
        outputs, targets, losses = zip(*self.waiting, strict=True)
        self.waiting, self.numbers = [], 0  # first: where a capture fails, they are no results
        examples = sum(map(len, targets))
        loss = sum(loss * len(batch) for loss, batch in zip(losses, targets, strict=True))
        if not has_float64(loss.device):  # one transfer for many batches, and metrics need float64
            outputs, targets = ([one.cpu() for one in part] for part in (outputs, targets))
            loss = loss.cpu()
        both = [part[0] if len(part) == 1 else torch.cat(part) for part in (outputs, targets)]
        batch = [loss, *(metric.measure(*both) for metric in self.metrics)]
        if not self.sums:
            self.sums = [_zero(summand) for summand in (targets[0].new_zeros(()), *batch)]
        self.sums[0] += examples
        for total, summand in zip(self.sums[1:], batch, strict=True):
            total += summand

    def clear(self) -> None:
        """Begin anew, with the sums where they are: a captured step goes on adding to them."""
        self.waiting, self.numbers = [], 0
        for total in self.sums:
            total.zero_()

    def content(self) -> dict[str, Any]:
        """Return the sums and the batches that wait, as a checkpoint within an epoch takes them.

        The batches are not added first: that would add up the numbers in another order.
        """
        return {"sums": self.sums, "waiting": [list(batch) for batch in self.waiting]}

    def restore(self, content: dict[str, Any], device: torch.device) -> None:
        """Continue from what ``content`` returned; sums that are there stay where they are."""
        sums = [total.to(device) for total in content["sums"]]
        if self.sums:
            for total, stored in zip(self.sums, sums, strict=True):
                total.copy_(stored)
        else:
            self.sums = sums
        self.waiting = [tuple(part.to(device) for part in some) for some in content["waiting"]]
        self.numbers = sum(outputs.numel() for outputs, *_ in self.waiting)

    def read(self, split: str) -> dict[str, float]:
        """Return ``{"train/loss": ..., "train/accuracy": ...}`` for the split called ``train``."""
        self.measure()
        flat = torch.cat([total.flatten().double() for total in self.sums]).cpu()
        pieces = flat.split([total.numel() for total in self.sums])
        examples, loss, *sums = (
            piece.view(total.shape) for piece, total in zip(pieces, self.sums, strict=True)
        )
        count = int(examples)
        figures = {"loss": float(loss) / count}
        for metric, total in zip(self.metrics, sums, strict=True):
            figures |= metric.report(total, count)
        return {f"{split}/{name}": float(value) for name, value in figures.items()}

    def everything(self) -> tuple[Tensor, Tensor]:
        """Return all outputs (N, K) and targets that were kept, on the CPU."""
        outputs, targets = zip(*self.kept, strict=True)
        return torch.cat(outputs).cpu(), torch.cat(targets).cpu()

    def full(self) -> dict[str, Any]:
        """Return what every metric reports of all outputs that were kept, as JSON takes it.

        A metric that fails here is left out with a warning: it must not cost the run its result.
        """
        outputs, targets = self.everything()
        found: dict[str, Any] = {}
        for metric in self.metrics:
            with guarded(f"The report of {type(metric).__name__} on all test examples"):
                report = metric.full(at_least_float32(outputs), targets)
                atomic_files.to_json(report)
                found |= report
        return found


def _zero(summand: Tensor) -> Tensor:
    """Return a sum wide enough to add up many batches: counts are int64, the rest float64."""
    kind = torch.float64 if summand.is_floating_point() else torch.int64
    return torch.zeros_like(summand, dtype=kind)
