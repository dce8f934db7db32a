"""A run among several that are trained together."""

from collections.abc import Sequence
from dataclasses import dataclass

from dlcourse.core import Fold, Observer, Recipe, State


@dataclass(eq=False)
class Lane:
    """A run among several that are trained together; the arguments of ``train.fit.fit``.

    name: for messages.
    error: what ended this lane before its end, such as a DivergedError; None without an error.
    """

    state: State
    fold: Fold
    recipe: Recipe
    observers: Sequence[Observer]
    name: str
    error: Exception | None = None
