"""Sums over an epoch, kept on the device and read back once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.core import Metric, at_least_float32, has_float64
from dlcourse.distributed.collectives import joined_rows, sums_of_all
from dlcourse.distributed.meters import of_all_ranks, of_this_rank
from dlcourse.distributed.ranks import this_rank
from dlcourse.guard import guarded
from dlcourse.train.kept_outputs import KeptOutputs
from dlcourse.train.step_losses import StepLosses

CPU_CHUNK = 2**17  # numbers in the outputs that the CPU measures at once: a call costs 5 us


class Meter:
    """Adds up the loss and every metric's sums; only ``read`` waits for the device.

    keep: the number of examples whose outputs (N, K) and targets are kept as well, for ``full``.
    losses: stores the loss of every batch; None for never.
    """

    def __init__(
        self, metrics: Sequence[Metric], keep: int = 0, losses: StepLosses | None = None
    ) -> None:
        self.metrics = metrics
        self.kept = KeptOutputs(keep) if keep else None
        self.losses = losses
        self.pending: list[tuple[Tensor, Tensor, Tensor]] = []
        self.numbers = 0  # in the outputs of the pending batches
        self.sums: list[Tensor] = []
        self.totals: list[Tensor] | None = None  # the sums of all ranks
        self.kept_by_all: tuple[Tensor, ...] = ()  # outputs and targets, on rank 0

    def add(self, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Record a batch: outputs (N, K), targets and the mean loss over the N examples."""
        if self.kept is not None:
            self.kept.add(outputs, targets)
        if self.losses is not None:
            self.losses.add(loss)
        self.pending.append((outputs, targets, loss))
        self.numbers += outputs.numel()
        if self.numbers >= CPU_CHUNK or outputs.is_cuda:  # a CUDA graph must measure every batch
            self.flush()

    def flush(self) -> None:
        """Add the pending batches to the sums."""
        if not self.pending:
            return
        outputs, targets, losses = zip(*self.pending, strict=True)
        # reset before the metrics are computed: a failed capture leaves no results
        self.pending, self.numbers = [], 0
        examples = sum(map(len, targets))
        if not examples:  # of a rank without a share of a small batch
            return
        loss: Any = sum(loss * len(batch) for loss, batch in zip(losses, targets, strict=True))
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

    def reset(self) -> None:
        """Set all sums to zero, in place: a CUDA graph adds to the same memory."""
        self.pending, self.numbers = [], 0
        self.totals, self.kept_by_all = None, ()
        for total in self.sums:
            total.zero_()
        if self.kept is not None:
            self.kept.start()
        if self.losses is not None:
            self.losses.start()

    def state_dict(self) -> dict[str, Any]:
        """Return the sums and the pending batches, for a checkpoint within an epoch.

        The pending batches are not added first: the sums would be rounded in another order.
        """
        content = of_all_ranks({"sums": self.sums, "waiting": [list(b) for b in self.pending]})
        return content if self.losses is None else content | {"losses": self.losses.values}

    def load_state_dict(self, content: dict[str, Any], device: torch.device, steps: int) -> None:
        """Restore what ``state_dict`` returned after ``steps`` steps.

        Sums that exist are overwritten in place.
        """
        own = of_this_rank(content)
        sums = [total.to(device) for total in own["sums"]]
        if self.sums:
            for total, stored in zip(self.sums, sums, strict=True):
                total.copy_(stored)
        else:
            self.sums = sums
        self.pending = [tuple(part.to(device) for part in some) for some in own["waiting"]]
        self.numbers = sum(outputs.numel() for outputs, *_ in self.pending)
        if self.losses is not None:
            self.losses.start(steps, content.get("losses"))

    def read(self, split: str) -> dict[str, float]:
        """Return ``{"train/loss": ..., "train/accuracy": ...}`` for the split called ``train``."""
        self.flush()
        totals = self.sums if self.totals is None else self.totals
        flat = torch.cat([total.flatten().double() for total in totals]).cpu()
        pieces = flat.split([total.numel() for total in totals])
        examples, loss, *sums = (
            piece.view(total.shape) for piece, total in zip(pieces, totals, strict=True)
        )
        count = int(examples)
        values = {"loss": float(loss) / count}
        for metric, total in zip(self.metrics, sums, strict=True):
            values |= metric.report(total, count)
        return {f"{split}/{name}": float(value) for name, value in values.items()}

    def collect(self) -> None:
        """Add up the sums over all ranks, and gather what was kept on rank 0, once per pass."""
        if this_rank().joined:
            self.flush()
            self.totals = sums_of_all(self.sums)
            if self.kept is not None:
                own = self.kept.read() if self.kept.position is not None else ()
                self.kept_by_all = joined_rows(own)

    def kept_outputs(self) -> tuple[Tensor, Tensor]:
        """Return all outputs (N, K) and targets that were kept, on the CPU."""
        if self.kept_by_all:
            outputs, targets = self.kept_by_all
            return outputs, targets
        assert self.kept is not None
        return self.kept.read()

    def full(self) -> dict[str, Any]:
        """Return every metric's report on all kept outputs, as values that JSON can hold.

        A metric that fails is left out with a warning, so that the run keeps its result.
        """
        outputs, targets = self.kept_outputs()
        found: dict[str, Any] = {}
        for metric in self.metrics:
            with guarded(f"The report of {type(metric).__name__} on all test examples"):
                report = metric.full(at_least_float32(outputs), targets)
                atomic_files.to_json(report)
                found = joined_reports(found, report)
        return found


def joined_reports(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return both reports; ``per_output`` of both is one."""
    both = [report["per_output"] for report in (first, second) if "per_output" in report]
    return first | second | ({"per_output": both[0] | both[-1]} if both else {})


def _zero(summand: Tensor) -> Tensor:
    """Return a zero of the summand's shape, wide enough for many batches: int64 or float64."""
    kind = torch.float64 if summand.is_floating_point() else torch.int64
    return torch.zeros_like(summand, dtype=kind)
