"""Connect the processes of a run through torch.distributed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from dlcourse.distributed.ranks import ALONE, Ranks, enter
from dlcourse.errors import UserError

PATIENCE = timedelta(minutes=30)
"""The longest time for which a rank waits for another, which may download data or draw plots."""


@contextmanager
def connected_ranks(place: Ranks, address: str, device: str) -> Iterator[None]:
    """Connect this process to the other ranks while the block runs.

    The CPUs exchange through gloo, GPUs through NCCL. After an error nothing is closed: the other
    ranks may be gone.

    address: where the ranks meet, ``file:///path`` or ``env://`` for torchrun's. device: the value
        of ``runtime.device``.
    """
    backend = backend_for(device)
    if "nccl" in backend:
        torch.cuda.set_device(place.local_rank)
    dist.init_process_group(
        backend, init_method=address, rank=place.rank, world_size=place.size, timeout=PATIENCE
    )
    enter(place)
    try:
        yield
    finally:
        enter(ALONE)
    dist.destroy_process_group()


def backend_for(device: str) -> str:
    """Return the backend of a device: gloo for CPUs, with NCCL for GPUs.

    Raises UserError if this PyTorch cannot connect processes.
    """
    if not dist.is_available() or not dist.is_gloo_available():
        raise UserError(
            "This PyTorch cannot connect processes: it has no torch.distributed with gloo.\n"
            "Type runtime.devices=1"
        )
    cuda = device in ("auto", "cuda") and torch.cuda.is_available()
    return "cpu:gloo,cuda:nccl" if cuda and dist.is_nccl_available() else "gloo"
