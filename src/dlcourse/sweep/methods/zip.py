"""Lists that are zipped: the i-th values of all keys form a point."""

from collections.abc import Iterator, Sequence

from dlcourse.errors import UserError
from dlcourse.sweep.methods.grid import refuse_intervals
from dlcourse.sweep.search_space import Space


def zip_lists(spaces: Sequence[Space]) -> Iterator[tuple[str, ...]]:
    """Yield the first values of all lists, then the second ones; a single value is repeated.

    Raises UserError for an interval and for lists of different lengths.
    """
    refuse_intervals(spaces, "zip")
    lengths = {space.name: len(space.values) for space in spaces if space.varies}
    longest = max(lengths.values(), default=1)
    if set(lengths.values()) - {longest}:
        counts = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UserError(
            f"sweep=zip needs lists of one length, and these differ: {counts} values.\n"
            "Type as many values for each, or sweep=grid for every combination"
        )
    lists = [space.values if space.varies else space.values * longest for space in spaces]
    yield from zip(*lists, strict=True) if lists else [()]
