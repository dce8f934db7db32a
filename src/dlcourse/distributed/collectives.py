"""What the ranks of a run exchange; with a single process every function returns at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from dlcourse.distributed.ranks import is_first, this_rank
from dlcourse.errors import LostRankError


@contextmanager
def connected() -> Iterator[None]:
    """Raise LostRankError where PyTorch reports that the connection to another rank has ended."""
    try:
        yield
    except RuntimeError as error:  # of gloo; torch.distributed's own errors derive from it
        if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
            raise  # the capture of a graph has failed, and the step is tried without one
        raise LostRankError(str(error).split("\n")[0]) from error


def gathered(value: Any) -> list[Any]:
    """Return the values that all ranks pass, in the order of the ranks."""
    if not this_rank().joined:
        return [value]
    found: list[Any] = [None] * this_rank().size
    with connected():
        dist.all_gather_object(found, value)
    return found


def from_first(value: Any) -> Any:
    """Return the value that rank 0 passes; those of the others are ignored."""
    if not this_rank().joined:
        return value
    found = [value if is_first() else None]
    with connected():
        dist.broadcast_object_list(found, src=0)
    return found[0]


def once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function on rank 0 alone; return its result on every rank.

    An error ends the run: rank 0 raises it, and the other ranks are stopped while they wait.
    """
    return from_first(function(*arguments) if is_first() else None)


def decided(yes: bool) -> bool:
    """Return what rank 0 has decided, such as whether time is up: clocks differ.

    It exchanges one byte between the CPUs; a GPU does not wait for it.
    """
    if not this_rank().joined:
        return yes
    found = torch.tensor([yes], dtype=torch.uint8)
    with connected():
        dist.broadcast(found, src=0)
    return bool(found.item())


def in_turn(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function on every rank, on the first rank of each machine before the others.

    So one rank of a machine downloads and decodes data, which the others find.
    """
    early = this_rank().local_rank == 0
    found = function(*arguments) if early else None
    wait_for_all()
    return found if early else function(*arguments)


def wait_for_all() -> None:
    """Wait until every rank has come to this point."""
    gathered(None)


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over the ranks, in place: one all-reduce for each dtype."""
    if not this_rank().joined:
        return
    alike: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        alike.setdefault(tensor.dtype, []).append(tensor)
    with torch.no_grad():
        for some in alike.values():
            flat = torch.cat([tensor.reshape(-1) for tensor in some])
            all_reduce(flat)
            parts = flat.split([tensor.numel() for tensor in some])
            torch._foreach_copy_(  # pyright: ignore[reportPrivateImportUsage]
                some, [part.view(tensor.shape) for part, tensor in zip(parts, some, strict=True)]
            )


def all_reduce(tensor: Tensor) -> None:
    """Replace a tensor by its sum over the ranks, in place."""
    with connected():
        dist.all_reduce(tensor)


def rows_of_all(rows: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the rows (n, ...) of all ranks, one rank after the other.

    counts: the number of rows n of each rank, which may differ.
    """
    most = max(counts)
    sent = rows.new_zeros((most, *rows.shape[1:]))
    sent[: len(rows)] = rows
    received = [torch.empty_like(sent) for _ in counts]
    with connected():
        dist.all_gather(received, sent)
    return torch.cat([part[:count] for part, count in zip(received, counts, strict=True)])


def sums_of_all(sums: Sequence[Tensor]) -> list[Tensor]:
    """Return the sums of all ranks added up, on the CPU, in the order of the ranks.

    sums: tensors of the same shapes on every rank, or none from a rank without examples.
    """
    found = [part for part in gathered([total.cpu() for total in sums]) if part]
    return [_added(part) for part in zip(*found, strict=True)]


def _added(parts: Iterable[Tensor]) -> Tensor:
    first, *others = parts
    for other in others:
        first = first + other
    return first


def joined_rows(own: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the tensors (n, ...) of all ranks on rank 0, one rank after the other; else nothing.

    own: tensors on the CPU; none from a rank without rows.
    """
    found: list[Any] | None = [None] * this_rank().size if is_first() else None
    with connected():
        dist.gather_object(own, found, dst=0)
    parts = [part for part in found or () if part]
    return tuple(torch.cat(some) for some in zip(*parts, strict=True))


def own_part(values: Tensor) -> Tensor:
    """Return this rank's contiguous part of some values (N,)."""
    return values.tensor_split(this_rank().size)[this_rank().rank] if this_rank().joined else values
