"""The loss of each step of an epoch, kept on the device and read once."""

import math

import torch
from torch import Tensor


class StepLosses:
    """Stores up to ``steps`` losses in the same memory in every epoch, as a CUDA graph needs it."""

    def __init__(self, steps: int, device: torch.device) -> None:
        self.values = torch.full((steps,), math.nan, device=device)
        self.position = torch.zeros(1, dtype=torch.int64, device=device)

    def add(self, loss: Tensor) -> None:
        """Store the loss of the next step, a scalar, in float32."""
        self.values.index_copy_(0, self.position, loss.detach().float().view(1))
        self.position += 1

    def start(self, step: int = 0, earlier: Tensor | None = None) -> None:
        """Start an epoch, or resume it after ``step`` steps.

        earlier: the values of a checkpoint within the epoch; without them the losses of its first
            steps are NaN.
        """
        self.values.fill_(math.nan)
        if earlier is not None:
            self.values.copy_(earlier)
        self.position.fill_(step)

    def read(self) -> list[float]:
        """Return the losses of the epoch so far."""
        return self.values[: int(self.position)].tolist()
