"""Random number generators: seeded for each epoch, and their states for a checkpoint."""

import random
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.distributed.ranks import this_rank
from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose, mix

INITIAL = -1  # the "epoch" in which initial weights are drawn


def reseed(seed: int, epoch: int) -> None:
    """Restart all random number generators for an epoch, on every device.

    Nothing is carried over from the epoch before, so there is nothing to save or restore.
    """
    if has_accelerator():
        torch.manual_seed(mix(seed, epoch, Purpose.LAYERS))
    else:  # the line above would keep the seed and a stack trace for CUDA: 0.1 ms, never freed
        torch.default_generator.manual_seed(mix(seed, epoch, Purpose.LAYERS))
    np.random.seed(mix(seed, epoch, Purpose.NUMPY) % 2**32)
    random.seed(mix(seed, epoch, Purpose.PYTHON))


@cache
def has_accelerator() -> bool:
    """Return whether PyTorch finds a device besides the CPU."""
    return torch.accelerator.is_available() or torch.cuda.is_initialized()


def epoch_order(examples: int, seed: int, epoch: int) -> Tensor:
    """Return the order (N,) in which an epoch visits the examples, the same on every device."""
    return torch.randperm(examples, generator=generator(seed, Purpose.ORDER, epoch))


def rng_states() -> dict[str, Any]:
    """Return the states of all random number generators, as a checkpoint stores them.

    On CUDA a state is the seed and the offset; replaying a CUDA graph advances the offset as its
    kernels would.
    """
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    assert isinstance(keys, np.ndarray)
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


def restore_rng_states(found: dict[str, Any]) -> None:
    """Restore the states of ``rng_states``, as far as this machine has the devices."""
    torch.set_rng_state(found["torch"])
    kind, keys, position, has_gauss, gauss = found["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    version, words, python_gauss = found["python"]
    random.setstate((version, tuple(words), python_gauss))
    if torch.cuda.is_available() and this_rank().joined and "cuda" in found:
        torch.cuda.set_rng_state(found["cuda"][0])  # of rank 0, as those of all ranks
    elif torch.cuda.is_available():
        for device, state in enumerate(found.get("cuda", [])[: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, device)
    if torch.backends.mps.is_available():
        for state in found.get("mps", []):
            torch.mps.set_rng_state(state)
