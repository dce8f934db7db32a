"""Grid search: every combination."""

import itertools
from collections.abc import Iterator, Sequence

from dlcourse.errors import UserError
from dlcourse.sweep.search_space import Space


def grid(spaces: Sequence[Space]) -> Iterator[tuple[str, ...]]:
    """Yield every combination of the values, one for each space; the last key changes fastest.

    Raises UserError for an interval.
    """
    refuse_intervals(spaces, "grid")
    yield from itertools.product(*(space.values for space in spaces))


def refuse_intervals(spaces: Sequence[Space], method: str) -> None:
    """Raise UserError for an interval, which a method over lists cannot use."""
    for space in spaces:
        if space.is_interval:
            raise UserError(
                f"{space.name} is an interval, and sweep={method} takes lists.\n"
                f"Type sweep=random, sweep=optuna or {space.name}=<value>,<value>"
            )
