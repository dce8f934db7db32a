"""What a lecture claims, next to what was measured."""

from typing import NamedTuple


class Claim(NamedTuple):
    """A sentence that a measured value supports or contradicts.

    value: what was measured; at_least, at_most: the bounds, with a margin, within which the
    sentence is true.
    """

    text: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the value is within the bounds; NaN never is."""
        above = self.at_least is None or self.value >= self.at_least
        below = self.at_most is None or self.value <= self.at_most
        return above and below and self.value == self.value

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        parts = {"at least": self.at_least, "at most": self.at_most}
        return " and ".join(
            f"{word} {bound:,.6g}" for word, bound in parts.items() if bound is not None
        )
