"""A row of the table of references: an option and its deviation from its source."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """The reference of an option and the measured deviation from it.

    reference: the paper, library or formula. deviation: measures the largest difference from it,
    given a function from overrides to a config. allowed: the tolerance.
    """

    reference: str
    deviation: Callable[[Callable[..., Any]], float]
    allowed: float
