"""Statistics of a layer's outputs: mean, spread, saturation, dead units, rank."""

import torch
from torch import Tensor

from dlcourse.core import at_least_float32
from dlcourse.introspect.histogram import histogram
from dlcourse.introspect.spectrum import ROWS

LIMITS = {
    "sigmoid": (0.0, 1.0), "hardsigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0), "softsign": (-1.0, 1.0),
}  # fmt: skip
"""The limits of bounded activations."""

SATURATED = 0.01  # an output this near to a limit, in units of the limit 1, is saturated


class UnitStatistics:
    """Sums over the outputs of a layer; nothing is read from the device.

    maps: whether a unit is a channel, dimension 1 of the outputs, and not the last dimension.

    A unit is dead if its activation is exactly 0 for all examples and at all positions: then it has
    no gradient through a ReLU, and may never recover.
    """

    def __init__(self, maps: bool) -> None:
        self.maps = maps
        self.activation = ""
        self.count = 0  # of outputs
        self.sums: list[Tensor] = []  # of outputs, squares, zeros, saturated outputs
        self.alive: Tensor | None = None  # (units,), whether an output was not 0
        self.rows: Tensor | None = None  # (rows, units), of the first run
        self.counts: dict[str, Tensor] = {}  # the histogram of the first run

    def add(self, outputs: Tensor, activation: str, counted: bool = False) -> None:
        """Add the outputs of one run.

        activation: its name, empty if there is none. counted: make a histogram.
        """
        table = as_table(at_least_float32(outputs), self.maps)
        zero, near = table == 0, near_limit(table, activation)
        sums, alive = [table.sum(), table.square().sum(), zero.sum(), near], ~zero.all(0)
        if self.alive is None:
            self.activation, self.sums, self.alive = activation, sums, alive
            self.rows = table[:: -(-len(table) // ROWS)]
            self.counts = histogram(table) if counted else {}
        elif len(self.alive) == len(alive):
            self.sums = [before + now for before, now in zip(self.sums, sums, strict=True)]
            self.alive = self.alive | alive
        else:
            return  # outputs of another shape, such as those of one gate
        self.count += table.numel()

    def values(self) -> dict[str, Tensor]:
        """Return scalars: mean and spread; of an activation also zeros, dead and saturated."""
        assert self.alive is not None, "no outputs were added"
        total, squares, zeros, saturated = (one / self.count for one in self.sums)
        found = {"mean": total, "spread": (squares - total.square()).clamp(min=0).sqrt()}
        if self.activation:
            found |= {"zeros": zeros, "dead": 1 - self.alive.float().mean()}
        if self.activation in LIMITS:
            found["saturated"] = saturated
        return found


def as_table(outputs: Tensor, maps: bool) -> Tensor:
    """Return outputs as a table (examples x positions, units)."""
    if maps and outputs.dim() > 2:
        outputs = outputs.movedim(1, -1)
    return outputs.flatten(0, -2)


def near_limit(table: Tensor, activation: str) -> Tensor:
    """Return the number of outputs within 0.01 of a limit of a bounded activation, as a scalar."""
    if activation not in LIMITS:
        return torch.zeros((), dtype=torch.int64, device=table.device)
    low, high = LIMITS[activation]
    return ((table < low + SATURATED) | (table > high - SATURATED)).sum()
