"""Set the learning rates of an optimizer before each step."""

import math

from torch import Tensor
from torch.optim import Optimizer


class LearningRates:
    """Sets every parameter group's learning rate to a factor times its base rate.

    The base rate is ``group["initial_lr"]``. A group with ``group["learns"]`` = (first, last) is
    trained from epoch first to before last; in all other epochs its rate is 0.

    Rates in a tensor, which a CUDA graph reads, are written in place and only when they change.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.written: list[float | None] = [None] * len(optimizer.param_groups)

    def set(self, factor: float, epoch: float) -> float:
        """Set all rates; return the first group's scheduled rate, whether it is trained or not."""
        for number, group in enumerate(self.optimizer.param_groups):
            first, last = group.get("learns", (0.0, math.inf))
            rate = group["initial_lr"] * factor if first <= epoch < last else 0.0
            if not isinstance(group["lr"], Tensor):
                group["lr"] = rate
            elif self.written[number] != rate:
                group["lr"].fill_(rate)
                self.written[number] = rate
        return self.optimizer.param_groups[0]["initial_lr"] * factor
