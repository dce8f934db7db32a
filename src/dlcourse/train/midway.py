"""Checkpoints within an epoch: what they hold besides the state, and when they are due."""

import random
from time import monotonic
from typing import Any

import numpy as np
import torch

from dlcourse.schema.duration import seconds


class Every:
    """Says after which steps a checkpoint is due: every so many, or every so many seconds.

    interval: a number of steps, or a duration with a unit such as ``"10m"``.
    """

    def __init__(self, interval: int | str) -> None:
        self.steps = interval if isinstance(interval, int) else None
        self.seconds = None if isinstance(interval, int) else seconds(interval)
        self.done, self.since = 0, monotonic()

    def due(self) -> bool:
        """Count a step; return whether a checkpoint is due after it."""
        self.done += 1
        if self.steps is not None:
            return self.done >= self.steps
        return monotonic() - self.since >= self.seconds

    def restart(self) -> None:
        """Begin the next interval: a checkpoint has been written."""
        self.done, self.since = 0, monotonic()


def draws() -> dict[str, Any]:
    """Return the state of all random number generators, as a checkpoint takes it.

    On CUDA it is the seed and the offset; replaying a CUDA graph moves the offset as its kernels
    would by themselves.
    """
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    version, words, python_gauss = random.getstate()
    found: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss],
        "python": [version, list(words), python_gauss],
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        found["mps"] = [torch.mps.get_rng_state()]
    return found


def restore_draws(found: dict[str, Any]) -> None:
    """Put all random number generators where ``draws`` found them, as far as there are devices."""
    torch.set_rng_state(found["torch"])
    kind, keys, position, has_gauss, gauss = found["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    version, words, python_gauss = found["python"]
    random.setstate((version, tuple(words), python_gauss))
    if torch.cuda.is_available():
        for device, state in enumerate(found.get("cuda", [])[: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, device)
    if torch.backends.mps.is_available():
        for state in found.get("mps", []):
            torch.mps.set_rng_state(state)
