"""Read a batch from the disk in shares: every rank decodes its own, and gets all of it."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from dlcourse.core import Split
from dlcourse.distributed.collectives import rows_of_all
from dlcourse.distributed.piece import divided, own_rows
from dlcourse.distributed.ranks import this_rank


def read_batches(split: Split, pieces: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Yield the arguments of ``split.fetch`` for each piece of indices (batch,).

    Of a split that reads ahead, every rank reads its share of each batch; the raw images of all
    ranks are then exchanged, so that augmentation sees the whole batch. A split in memory is read
    without any exchange.
    """
    rank, size = this_rank().rank, this_rank().size
    if not this_rank().joined:
        yield from split.prefetch(pieces)
        return
    own = (own_rows(len(piece), rank, size) for piece in pieces)
    shares = [
        piece[rows.start : rows.stop] if rows.count else piece[:1]  # a reader needs one image
        for piece, rows in zip(pieces, own, strict=True)
    ]
    for piece, (_, *parts) in zip(pieces, split.prefetch(shares), strict=True):
        yield piece, *(rows_of_all(part, divided(len(piece), size)) for part in parts)
