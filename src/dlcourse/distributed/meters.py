"""The sums of every rank's meter in a checkpoint within an epoch."""

from typing import Any

from dlcourse.distributed.collectives import gathered
from dlcourse.distributed.ranks import this_rank

Content = dict[str, Any]
"""``{"sums": tensors, "waiting": batches}`` of one rank; or ``{"ranks": [one of each rank]}``."""


def of_all_ranks(own: Content) -> Content:
    """Return what a checkpoint stores: the content of every rank, or of a single process as it is.

    The parts are stored, not their sum: it would be rounded in another order.
    """
    if not this_rank().joined:
        return own
    on_cpu = {
        "sums": [total.cpu() for total in own["sums"]],
        "waiting": [[part.cpu() for part in batch] for batch in own["waiting"]],
    }
    return {"ranks": gathered(on_cpu)}


def of_this_rank(content: Content) -> Content:
    """Return this rank's part of what a checkpoint stores.

    If the run had another number of ranks, rank 0 takes all of it, and the others start at zero.
    """
    parts = content.get("ranks", [content])
    here = this_rank()
    if len(parts) == here.size:
        return parts[here.rank]
    if here.rank > 0:
        return {"sums": [], "waiting": []}
    known = [part["sums"] for part in parts if part["sums"]]
    sums = [sum(some[1:], some[0]) for some in zip(*known, strict=True)]
    return {"sums": sums, "waiting": [batch for part in parts for batch in part["waiting"]]}
