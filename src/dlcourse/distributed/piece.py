"""The piece of a batch that the ranks compute together, for layers that need all of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Piece(NamedTuple):
    """A rank's rows of a piece of a batch.

    The piece has ``whole`` examples, of which this rank has those from ``start`` to before
    ``stop``. A rank without any computes the first one, with weight 0.
    """

    whole: int
    start: int
    stop: int

    @property
    def count(self) -> int:
        """The number of the rank's examples."""
        return self.stop - self.start

    @property
    def rows(self) -> int:
        """The number of rows that the rank computes, at least one."""
        return max(1, self.count)


_current: Piece | None = None


def current_piece() -> Piece | None:
    """Return the piece in whose forward pass this process is; None outside of one."""
    return _current


@contextmanager
def within_piece(piece: Piece) -> Iterator[None]:
    """Tell the layers in the block which rows of which piece they compute."""
    global _current
    before, _current = _current, piece
    try:
        yield
    finally:
        _current = before


def pieces_of(batch: int, most: int | None, rank: int, size: int) -> list[Piece]:
    """Return a rank's rows of every piece of a batch of ``batch`` examples.

    The pieces are those of one device (``train.differentiate``): at most ``most`` examples, and at
    least two; one piece without ``most``. The examples of each are divided among the ranks, of
    which the first ones may have one more.
    """
    parts = 1 if most is None else max(1, min(-(-batch // most), batch // 2))
    return [own_rows(whole, rank, size) for whole in divided(batch, parts)]


def own_rows(whole: int, rank: int, size: int) -> Piece:
    """Return the rows of a rank, as ``torch.tensor_split`` divides them."""
    counts = divided(whole, size)
    start = sum(counts[:rank])
    return Piece(whole, start, start + counts[rank])


def divided(count: int, parts: int) -> list[int]:
    """Return the sizes of ``parts`` parts of ``count`` things, larger ones first."""
    each, more = divmod(count, parts)
    return [each + (part < more) for part in range(parts)]
