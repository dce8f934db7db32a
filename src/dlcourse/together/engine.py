"""What an engine does with lanes."""

from collections.abc import Callable, Sequence
from typing import Protocol

from dlcourse.together.turn import Turn


class Engine(Protocol):
    """Runs steps of several lanes as one."""

    name: str

    def step(self, turns: Sequence[Turn]) -> None:
        """Run the next steps of some lanes, two at least, whose batches have the same size."""

    def keep(self, turns: Sequence[Turn]) -> None:
        """Leave out all lanes but these, because the others have ended."""


MakeEngine = Callable[[Sequence[Turn]], Engine]
