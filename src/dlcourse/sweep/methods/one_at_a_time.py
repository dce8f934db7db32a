"""A base point, and points that differ from it in one key."""

from collections.abc import Iterator, Sequence

from dlcourse.sweep.methods.grid import refuse_intervals
from dlcourse.sweep.search_space import Space


def one_at_a_time(spaces: Sequence[Space]) -> Iterator[tuple[str, ...]]:
    """Yield the base point with the first value of every list, then every other value, key by key.

    Raises UserError for an interval.
    """
    refuse_intervals(spaces, "one_at_a_time")
    base = tuple(space.values[0] for space in spaces)
    yield base
    for place, space in enumerate(spaces):
        for value in space.values[1:]:
            yield (*base[:place], value, *base[place + 1 :])
